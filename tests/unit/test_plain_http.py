"""HTTP without TLS: what is sent, and what of an answer is taken and what is refused."""

import io
from http.client import HTTPResponse
from itertools import pairwise
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msauth.protocols.plain_http import MAX_BODY, MAX_HEAD, parse, place, query, request

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = [
    (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    (b"HTTP/1.0 204\r\nCONTENT-LENGTH: 0\r\n\r\n", b""),
    (CHUNKED + b"2;x=y\r\nab\r\n0A\r\n0123456789\r\n0\r\n", b"ab0123456789"),
]


@pytest.mark.parametrize(("data", "body"), WHOLE)
def test_an_answer_is_complete_without_the_end_of_the_connection(data: bytes, body: bytes) -> None:
    for end in range(len(data)):
        assert parse(data[:end], ended=False) is None
    for more in (b"", b"\r\n", b"more"):
        answer = parse(data + more, ended=False)
        assert answer is not None
        assert answer.body == body


def test_a_body_ends_with_the_connection_where_nothing_tells_its_length() -> None:
    assert parse(HEAD + b"\r\nabc", ended=False) is None
    answer = parse(HEAD + b"\r\nabc", ended=True)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"abc")


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 2000\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"A: " + b"x" * MAX_HEAD,
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1_0\r\n\r\n",
        HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
        HEAD + b"Content-Length: " + b"0" * 9 + b"\r\n\r\n",
        HEAD + b"\r\n" + b"x" * (MAX_BODY + 1),
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"3\r\nabcdef\r\n",
        CHUNKED + b"1" * (MAX_BODY + 1),
        CHUNKED + b"%x\r\n" % (MAX_BODY + 1),
        CHUNKED + b"1\r\na\r\n%x\r\n" % MAX_BODY,
    ],
)
def test_what_is_no_answer_is_refused_at_once(data: bytes, ended: bool) -> None:
    with pytest.raises(ValueError, match=r"^(what|more|a head|a length|an encoding)") as caught:
        parse(data, ended=ended)
    assert caught.value.args[0].encode() not in data


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1", HEAD, HEAD + b"Content-Length: 3\r\n\r\nab", WHOLE[2][0][:-4]]
)
def test_half_an_answer_is_none(data: bytes) -> None:
    assert parse(data, ended=False) is None
    with pytest.raises(ValueError, match="half an answer" if data else "nothing"):
        parse(data, ended=True)


class _Socket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.data)


@settings(deadline=None, max_examples=60)
@given(st.integers(200, 599), st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_it_reads_what_http_client_reads(status: int, body: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    parts = [body[a:b] for a, b in pairwise(places)]
    chunks = b"".join(b"%X\r\n%s\r\n" % (len(part), part) for part in parts)
    for head, rest in (
        (b"Content-Length: %d" % len(body), body),
        (b"Transfer-Encoding: chunked", chunks + b"0\r\n\r\n"),
        (b"Connection: close", body),
    ):
        data = b"HTTP/1.1 %d Some Reason\r\nX: y\r\n%s\r\n\r\n%s" % (status, head, rest)
        answer = parse(data, ended=True)
        other = HTTPResponse(_Socket(data))  # type: ignore[arg-type] # only makefile is used
        other.begin()
        assert answer is not None
        assert answer.status == other.status
        if status not in (204, 304):  # which have no body, whatever their heads say
            assert answer.body == other.read()


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_rubbish_is_never_more_than_a_value_error(data: bytes) -> None:
    for whole in (data, HEAD + data, CHUNKED + data):
        try:
            parse(whole, ended=True)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://169.254.169.254/a/b?c=d#e", ("169.254.169.254", 80, "/a/b?c=d")),
        ("HTTP://localhost:42356", ("localhost", 42356, "/")),
        ("http://[::1]:8080/x", ("::1", 8080, "/x")),
        ("http://a_b.example?x", ("a_b.example", 80, "/?x")),
    ],
)
def test_a_url(url: str, found: tuple[str, int, str]) -> None:
    assert place(url) == found


@pytest.mark.parametrize(
    "url",
    [
        *("", "127.0.0.1", "https://a/", "ftp://a/", "http://", "http:///x", "http://u:p@a/"),
        *("http://a b/", "http://a/b c", "http://a/\r\nX: y", "http://a/é", "http://é/"),
        *("http://a:0/", "http://a:65536/", "http://a:-1/", "http://a:99999999999999/"),
        *("http://a:0000199999999/", "http://a:000080/"),
        *("http://[::1/", "http://a\\b/", "http://[::1]x/", "http://a:٣/"),
    ],
)
def test_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="no http URL"):
        place(url)


def test_the_request() -> None:
    assert request("http://h/t?q=1", {"secret": "k"}, None) == (
        b"GET /t?q=1 HTTP/1.1\r\nHost: h\r\nUser-Agent: msauth\r\nConnection: close\r\n"
        b"secret: k\r\n\r\n"
    )
    data = request("http://[::1]:81/t", {}, b"a=b")
    assert data.startswith(b"POST /t HTTP/1.1\r\nHost: [::1]:81\r\n")
    assert data.endswith(b"\r\nContent-Length: 3\r\n\r\na=b")


@pytest.mark.parametrize("value", ["a\r\nX-Forged: b", "a\nb", "a\0", "é", "\udcff"])
def test_a_secret_cannot_become_a_header(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        request("http://h/", {"X-IDENTITY-HEADER": value}, None)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["resource", "client_id"]), st.text(min_size=1)))
def test_a_query_is_what_others_read(fields: dict[str, str]) -> None:
    encodable = {name: text.encode("utf-8", "ignore").decode() for name, text in fields.items()}
    text = query(encodable)
    assert text.isascii()
    assert dict(parse_qsl(text, keep_blank_values=True)) == encodable
