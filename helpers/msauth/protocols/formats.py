"""The output formats of `msauth-token` that are not ExecCredential. Pure.

A token has RFC 6750 b64token characters only (`signin` lets no other text through), so no shell,
dotenv file or JSON text needs it escaped; it is quoted all the same where the format quotes values.
"""

import time

from .exec_credential import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "AZURE_ACCESS_TOKEN"
EXPIRY = NAME + "_EXPIRES_ON"
_TENANT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")

FORMATS = (
    "exec",
    "token",
    "header",
    "json",
    "azd",
    "env",
    "export",
    "powershell",
    "dotenv",
    "github",
)
"""The values of --format."""


def write(kind: str, token: str, expires_on: int, tenant: str) -> str:
    """Return the text of any format but exec; expires_on: epoch seconds, tenant: "" if unknown."""
    if not set(tenant) <= _TENANT_CHARACTERS:
        tenant = ""
    return _WRITERS[kind](token, expires_on, tenant)


def _token(token: str, expires_on: int, tenant: str) -> str:  # noqa: ARG001
    return token + "\n"


def _header(token: str, expires_on: int, tenant: str) -> str:  # noqa: ARG001
    return f"Authorization: Bearer {token}\n"


def _json(token: str, expires_on: int, tenant: str) -> str:
    """The shape of `az account get-access-token --tenant …`: expiresOn is local, without a zone."""
    lines = [
        f'  "accessToken": "{token}",\n',
        f'  "expiresOn": "{local_time(expires_on)}",\n',
        f'  "expires_on": {expires_on},\n',
        f'  "tenant": "{tenant}",\n',
        '  "tokenType": "Bearer"\n',
    ]
    return "{\n" + "".join(lines) + "}\n"


def local_time(epoch: int) -> str:
    """Return epoch seconds as az writes a date: in local time, without a zone."""
    year, month, day, hour, minute, second = time.localtime(epoch)[:6]
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.000000"


def _azd(token: str, expires_on: int, tenant: str) -> str:  # noqa: ARG001
    """The shape of `azd auth token --output json`."""
    return f'{{"token":"{token}","expiresOn":"{rfc3339(expires_on)}"}}\n'


def _assignments(line: str) -> "Callable[[str, int, str], str]":
    def write(token: str, expires_on: int, tenant: str) -> str:  # noqa: ARG001
        return line.format(NAME, token) + line.format(EXPIRY, expires_on)

    return write


def _github(token: str, expires_on: int, tenant: str) -> str:  # noqa: ARG001
    """GitHub Actions: the mask first, so that no later line can be logged in clear."""
    return f"::add-mask::{token}\n{NAME}={token}\n{EXPIRY}={expires_on}\n"


_WRITERS: "dict[str, Callable[[str, int, str], str]]" = {
    "token": _token,
    "header": _header,
    "json": _json,
    "azd": _azd,
    "env": _assignments("{}={}\n"),
    "export": _assignments("export {}='{}'\n"),
    "powershell": _assignments("$env:{} = '{}'\n"),
    "dotenv": _assignments('{}="{}"\n'),
    "github": _github,
}
