"""Completions for each shell, written from `programs.commands()`: `script(commands) -> str`."""

SHELLS = ("bash", "zsh", "fish", "powershell")
"""Each is the name of a module here."""
