"""Writing, showing and undoing the configuration of the tools that call msauth."""
