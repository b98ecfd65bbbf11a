"""The token endpoint behind `msauth-run --serve`: a loopback server that lives with its command."""
