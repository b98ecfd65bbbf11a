"""What is asked: options, environment and profile, resolved once into a TokenRequest."""
