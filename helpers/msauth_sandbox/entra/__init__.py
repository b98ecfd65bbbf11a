"""Entra ID: who exists, how they sign in, the tokens they get, and how a request is refused."""
