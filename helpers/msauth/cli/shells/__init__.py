"""Completions for each shell, written from `programs.commands()`: `script(commands) -> str`."""
