"""The commands of `msauth`: one module each, with `run(argv) -> exit code`."""
