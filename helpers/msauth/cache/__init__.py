"""The shared token cache: text records, one file per key, read without a lock."""
