"""Helpers of package managers, registries and build tools, one small file each."""
