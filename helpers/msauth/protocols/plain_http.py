"""One request and its answer in HTTP/1.1 without TLS (RFC 9112). Pure: bytes and values.

For servers on this machine or link; http.client and urllib.parse take longer to import than such a
server takes to answer. Only as much of it as one answer on a connection of its own needs: a status,
headers, and a body of which the end is told by Content-Length, by chunks or by the end of the
connection.
"""

MAX_HEAD = 16 * 1024
MAX_BODY = 256 * 1024
_MOST_DIGITS = 8
"""Of a length: with more it would be too long anyway."""
_DIGITS = {10: frozenset("0123456789"), 16: frozenset("0123456789abcdefABCDEF")}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
_NAME, _ADDRESS = frozenset(_LETTERS), frozenset("0123456789abcdefABCDEF:.")
_UNRESERVED = frozenset((_LETTERS + "~").encode("ascii"))


class Answer:
    """status: the number; headers: by their names in lower case, of repeated ones the first."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def place(url: str) -> tuple[str, int, str]:
    """Return host, port and target of an http URL. Raises ValueError."""
    rest = url[7:].partition("#")[0]
    end = min(at for at in (rest.find("/"), rest.find("?"), len(rest)) if at >= 0)
    authority, target = rest[:end], rest[end:]
    host, _, port = authority.partition(":")
    letters = _NAME
    if authority[:1] == "[":
        host, end_of_address, after = authority[1:].partition("]")
        _, _, port = after.partition(":")
        letters = _ADDRESS if end_of_address and after[:1] in ("", ":") else frozenset()
    port = port or "80"
    target = target if target[:1] == "/" else f"/{target}"
    known = url[:7].lower() == "http://" and host and letters.issuperset(host)
    if not known or not _is_printable(target) or " " in target:
        raise ValueError("no http URL")
    if len(port) > 5 or not _DIGITS[10].issuperset(port) or not 0 < int(port) < 1 << 16:
        raise ValueError("no http URL")
    return host, int(port), target


def query(fields: dict[str, str]) -> str:
    """Return fields as a URL's query, and as a form (application/x-www-form-urlencoded)."""
    return "&".join(f"{name}={_quoted(value)}" for name, value in fields.items())


def _quoted(value: str) -> str:
    data = value.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def request(url: str, headers: dict[str, str], body: bytes | None) -> bytes:
    """Return a GET, or with a body a POST, of an http URL. Raises ValueError."""
    host, port, target = place(url)
    authority = (f"[{host}]" if ":" in host else host) + (f":{port}" if port != 80 else "")
    lines = {"Host": authority, "User-Agent": "msauth", "Connection": "close", **headers}
    if body is not None:
        lines["Content-Length"] = str(len(body))
    if not all(map(_is_printable, lines.values())):
        raise ValueError("a header that cannot be sent")
    method = "GET" if body is None else "POST"
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + (body or b"")


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def parse(data: bytes, *, ended: bool) -> Answer | None:
    """Return the answer that has come, or None while it is not complete.

    ended: nothing more will come. Raises ValueError, which says what is wrong with it and repeats
    nothing of it.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD:
        raise ValueError("a head that is too long")
    if not b"HTTP/1.".startswith(data[:7]):
        raise ValueError("what is no HTTP")
    if not end:
        if ended:
            raise ValueError("half an answer" if data else "nothing")
        return None
    status, headers = _head(head)
    body = _body(headers, rest, ended=ended)
    if body is None:
        if ended:
            raise ValueError("half an answer")
        return None
    return Answer(status, headers, body)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if version not in ("HTTP/1.0", "HTTP/1.1") or rest[3:4].strip():
        raise ValueError("what is no HTTP")
    if len(code) != 3 or not set(code) <= _DIGITS[10]:
        raise ValueError("what is no HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("what is no HTTP")
        headers.setdefault(name.lower(), value.strip(" \t"))
    return int(code), headers


def _body(headers: dict[str, str], rest: bytes, *, ended: bool) -> bytes | None:
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked":
            raise ValueError("an encoding that was not asked for")
        return _chunks(rest)
    if "content-length" not in headers:
        _check(len(rest))
        return rest if ended else None
    length = _length(headers["content-length"], 10)
    return rest[:length] if len(rest) >= length else None


def _chunks(rest: bytes) -> bytes | None:
    """Return the chunks (RFC 9112 7.1) as one, or None while the last one has not come."""
    body = b""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            _check(len(line))
            return None
        size = _length(line.partition(b";")[0].decode("latin-1").strip(" \t"), 16)
        if not size:
            return body
        _check(len(body) + size)
        if len(rest) < size + 2:
            return None
        if rest[size : size + 2] != b"\r\n":
            raise ValueError("what is no HTTP")
        body, rest = body + rest[:size], rest[size + 2 :]


def _length(text: str, base: int) -> int:
    """Return a length in bytes; base: 10, or 16 for the length of a chunk."""
    if not text or len(text) > _MOST_DIGITS or not set(text) <= _DIGITS[base]:
        raise ValueError("a length that is none")
    length = int(text, base)
    _check(length)
    return length


def _check(length: int) -> None:
    if length > MAX_BODY:
        raise ValueError(f"more than {MAX_BODY} bytes")
