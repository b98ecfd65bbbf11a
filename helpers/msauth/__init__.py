"""One sign-in, one shared token cache, for git, kubectl, scripts and SDKs."""

__version__ = "0.1.0"
__all__ = ["MsauthCredential", "__version__"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .credential import MsauthCredential


def __getattr__(name: str) -> object:
    """Import MsauthCredential when it is asked for (PEP 562): azure-identity costs 200 ms."""
    if name == "MsauthCredential":
        from .credential import MsauthCredential

        return MsauthCredential
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
