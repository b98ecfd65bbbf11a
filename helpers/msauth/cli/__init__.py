"""`msauth COMMAND`: a module for each command, with `run(argv) -> exit code`."""
