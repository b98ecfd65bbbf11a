"""The backend of `keyring` (PyPI) that pip, uv, twine and poetry ask for the token of a feed.

`keyring` imports the backends of all installed packages for whoever wants any password of it, so
nothing else of msauth is imported before a URL is asked for.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from keyring.backend import KeyringBackend
from keyring.credentials import Credential, SimpleCredential

USER = "msauth"
"""The user of a credential where the caller has none; Azure Artifacts takes any."""

_OFF = ("", "0", "f", "false", "n", "no", "off")
_NO_PROMPT = ("PIP_NO_INPUT", "TWINE_NON_INTERACTIVE", "POETRY_NO_INTERACTION")
_NO_PROMPT_OPTIONS = frozenset(("--no-input", "--non-interactive", "--no-interaction"))

_LOGGERS = ("azure", "msal", "msal_extensions")

_one_at_a_time = Lock()
_said: set[str] = set()
"""The failures that this process has told: pip and twine ask again for what they did not get."""


class AzureFeeds(KeyringBackend):
    """Answers for the feeds of Azure DevOps organisations; None for everything else.

    No error is raised, since pip stops using keyring for good after one: it is said on stderr.
    """

    priority = 9.95  # artifacts-keyring has 9.9, and keyring's chain of all backends 10

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return a user name, the caller's if there is one, and a token for a feed's URL."""
        token = _token(service)
        return None if token is None else SimpleCredential(username or USER, token)

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 - any will do
        """Return a token for a feed's URL."""
        return _token(service)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raise NotImplementedError: then keyring's chain hands it to the next backend."""
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        """Raise NotImplementedError, as `set_password`."""
        raise NotImplementedError


def _token(service: str) -> str | None:
    """Return a token with at least five minutes to live, or None for what is not ours."""
    from ..request import urls

    try:
        # What is not ASCII stays so, and is a stranger's.
        url = service.encode("utf-8", "surrogatepass")
        found = urls.place(url)
        # Without an organisation nobody knows the tenant. pip asks for the host alone as well.
        if found is None or not found[1]:
            return None
        from . import feeds

        with _quiet():
            token = feeds.devops_token(url, {}, _environment())
    except Exception as error:  # noqa: BLE001 - see AzureFeeds
        _tell(error)
        return None
    return None if token is None else token.text


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what signs in from logging: pip shows people whatever is logged in its process."""
    with _one_at_a_time:  # who comes second must not take our levels for those to go back to
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _environment() -> dict[str, str]:
    """Return the environment, which forbids questions where the tool that asks was told to.

    pip sets PIP_NO_INPUT for whatever it starts when it is called with --no-input.
    """
    env = dict(os.environ)
    told = any(env.get(name, "").lower() not in _OFF for name in _NO_PROMPT)
    if told or not _NO_PROMPT_OPTIONS.isdisjoint(sys.argv) or _is_quiet_poetry(sys.argv):
        env["MSAUTH_NO_PROMPT"] = "1"
    return env


def _is_quiet_poetry(argv: list[str]) -> bool:
    return "-n" in argv and os.path.basename(argv[0]).removesuffix(".exe") == "poetry"


def _tell(error: Exception) -> None:
    """Say an error, once; at the terminal where pip drops what its `keyring` says."""
    from ..errors import MsauthError, failed

    text = str(error)
    if text in _said:
        return
    _said.add(text)
    failed(error)
    if not isinstance(error, MsauthError) or "--output=json" not in sys.argv or os.isatty(2):
        return
    from ..signin import prompts

    if prompts.terminal():
        hint = f"\nhint: {error.hint}" if error.hint else ""
        prompts.show(f"error: {error.message}{hint}".split("\n"))
