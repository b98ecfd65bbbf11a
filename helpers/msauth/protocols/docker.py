"""What docker, podman and others say to a credential helper, and how it answers.

https://github.com/docker/docker-credential-helpers: `get` and `erase` are told a server, `store`
an object of JSON. An answer of exit code 1 is a text on stdout; two of them have a meaning.
"""

USER = "00000000-0000-0000-0000-000000000000"
"""The user that goes with a refresh token of Azure Container Registry."""
NOT_FOUND = b"credentials not found in native keychain\n"
"""There are none: the client goes on without any."""
NO_SERVER = b"no credentials server URL\n"


def server(data: bytes) -> bytes:
    """Return the server that `get` or `erase` is told, without the end of its line."""
    return data.removesuffix(b"\n").removesuffix(b"\r")


def credentials(server: bytes, secret: str) -> bytes:
    """Return the answer to `get`.

    server: as it was asked for, of printable ASCII. secret: a token (RFC 6750 2.1).
    """
    shown = server.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"ServerURL":"{shown}","Username":"{USER}","Secret":"{secret}"}}\n'.encode("ascii")


def stored_for(data: bytes) -> bytes | None:
    """Return the server that `store` names, or None where it names none."""
    from . import json_lines

    name = (json_lines.read(data) or {}).get("ServerURL")
    return name.encode("utf-8", "surrogatepass") if isinstance(name, str) else None
