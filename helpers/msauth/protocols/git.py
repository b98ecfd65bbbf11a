"""git's credential protocol (git-credential(1), gitprotocol of helpers), both directions.

Input is split on `\\n` only: treating a lone CR as a line end let a server add attributes
(CVE-2024-50338, CVE-2024-52006). Whatever is not exactly well-formed is no request at all.
"""

USERNAME = "msauth"
"""The user name of an answer to an old git that gave none; it comes back with the refusal."""
_MAX_LINE = 65535
_HEX = frozenset("0123456789abcdef")


class Credential:
    """What git said: single attributes, and lists (`wwwauth[]`, `capability[]`, `state[]`)."""

    __slots__ = ("lists", "values")

    def __init__(self, values: dict[str, bytes], lists: dict[str, list[bytes]]) -> None:
        self.values = values
        self.lists = lists

    def value(self, name: str) -> bytes:
        return self.values.get(name, b"")

    def texts(self, name: str) -> list[str]:
        return [item.decode("utf-8", "replace") for item in self.lists.get(name, [])]

    def can(self, capability: bytes) -> bool:
        return capability in self.lists.get("capability", ())

    def __repr__(self) -> str:
        return f"Credential({sorted(self.values)}, {sorted(self.lists)})"


def parse(data: bytes) -> Credential | None:
    """Return git's attributes up to the first blank line, or None for malformed input.

    None: a line without `=`, too long, with CR, NUL or an encoded one, or a repeated attribute
    (two hosts could be read differently by two readers). Unknown keys are kept and ignored.
    """
    values: dict[str, bytes] = {}
    lists: dict[str, list[bytes]] = {}
    for line in data.split(b"\n"):
        if not line:
            break
        key, equals, value = line.partition(b"=")
        if not equals or not key or len(line) > _MAX_LINE or not key.isascii():
            return None
        if b"\r" in line or b"\0" in line:
            return None
        name = key.decode("ascii")
        if name.endswith("[]"):
            items = lists.setdefault(name[:-2], [])
            if value:
                items.append(value)
            else:
                items.clear()
            continue
        if name in values:
            return None
        if b"%" in value and name != "password" and _encoded_control(value):
            return None
        values[name] = value
    return Credential(values, lists)


def _encoded_control(value: bytes) -> bool:
    lower = value.lower()
    return b"%0a" in lower or b"%0d" in lower or b"%00" in lower


def tried(credential: Credential) -> str:
    """Return the fingerprint of the token that was given before, or "".

    It is our own `state[]`, which git hands back; its value is believed only in our own form.
    """
    for item in credential.lists.get("state", ()):
        if item.startswith(b"msauth.tried="):
            fingerprint = item[13:].decode("ascii", "replace")
            if _HEX.issuperset(fingerprint):
                return fingerprint
    return ""


def came_back(credential: Credential) -> bool:
    """Say whether our `state[]` comes from git, whose server has then refused our token.

    git (seen with 2.47) comes back with all that it was answered before, less the secret.
    git-lfs (seen with 3.8) says the last state it saw with every question, also for a transfer
    that has had no token, and nothing else of the answer. Its path is often git's own, so that
    does not tell them apart.
    """
    return "authtype" in credential.values


def secret(credential: Credential) -> str:
    """Return the secret that git names (`erase`): a credential or a password, or ""."""
    value = credential.value("credential") or credential.value("password")
    return value.decode("utf-8", "surrogateescape")


def answer(
    credential: Credential,
    token: str,
    expires_on: int,
    *,
    fingerprint: str,
    final: bool,
) -> bytes:
    """Return the attributes of a served token.

    With `authtype` (git 2.46) it is a Bearer credential that no other helper may store; for an
    older git it is a password, and the user name holds no colon (RFC 7617). `continue=1` with
    our state makes git come back in the same command if the token is rejected; the second
    answer (final) goes without: git ends as usual at a second rejection, and git-lfs says
    `erase` at the first and asks again.
    """
    lines = []
    if credential.can(b"authtype"):
        lines.append("capability[]=authtype")
        if credential.can(b"state"):
            lines.append("capability[]=state")
        lines += ["authtype=Bearer", f"credential={token}", "ephemeral=1"]
        if credential.can(b"state"):
            lines.append(f"state[]=msauth.tried={fingerprint}")
            if not final:
                lines.append("continue=1")
    else:
        lines += [f"username={_username(credential)}", f"password={token}"]
    lines.append(f"password_expiry_utc={expires_on}")
    return ("\n".join(lines) + "\n").encode("ascii")


def _username(credential: Credential) -> str:
    given = credential.value("username")
    if given and given.isascii() and b":" not in given:
        text = given.decode("ascii")
        if text.isprintable():
            return text
    return USERNAME


def asks_first(credential: Credential) -> bool:
    """Say whether git asks before any server has refused it something, and can come back.

    So it does with `http.proactiveAuth`, for which alone the credential is not needed: a public
    project is for anybody.
    """
    lists = credential.lists
    comes_back = credential.can(b"authtype") and credential.can(b"state")
    return comes_back and not lists.get("wwwauth") and not lists.get("state")


ANONYMOUS = (
    b"capability[]=authtype\ncapability[]=state\nauthtype=\ncredential=\nephemeral=1\n"
    b"state[]=msauth.anonymous=1\ncontinue=1\n"
)
"""Lets whoever asks first send a request without a credential, and come back where it is refused.

An empty credential is one: git (seen with 2.47) makes an `Authorization` header of it that has no
value, and curl leaves such a header out; git-lfs (3.8) sends none either. For both this is the
first step of a `continue=1` conversation, as for any scheme of several steps.
"""

QUIT = b"quit=1\n"
"""Stops git from asking other helpers, askpass or the terminal for a password."""

CAPABILITIES = b"version 0\ncapability authtype\ncapability state\n"
"""The answer to the `capability` action."""
