"""Listening, the proxy, TLS, routing, and the record of every request. Knows no service."""
