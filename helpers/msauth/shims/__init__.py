"""`msauth-run --shims`: an `az` and an `azd` that give tokens from the shared cache."""
