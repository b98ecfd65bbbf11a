"""What the tokens are for, and what gives out tokens or assertions beside Entra ID."""
