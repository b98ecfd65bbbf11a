"""One sign-in, one shared token cache, for git, kubectl, scripts and SDKs."""

__version__ = "0.1.0"
