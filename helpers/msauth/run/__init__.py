"""`msauth-run`: a command with Azure tokens in its environment, or with a token endpoint."""
