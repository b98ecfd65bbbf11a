"""The hot or cold decision: the cache's answer, or one sign-in however many processes ask."""
