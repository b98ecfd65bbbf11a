"""Every output format, read back by what reads it."""

import json
import shlex
import subprocess
import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.cache import record
from msauth.protocols import formats

TOKEN = "eyJ0eXAi.eyJhdWQi-._~+/x=="
EXPIRES_ON = 1_893_456_000  # 2030-01-01T00:00:00Z


def written(kind: str, tenant: str = "contoso.com") -> str:
    return formats.write(kind, TOKEN, EXPIRES_ON, tenant)


def test_every_format_but_exec_has_a_writer() -> None:
    assert set(formats._WRITERS) == set(formats.FORMATS) - {"exec"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("token", f"{TOKEN}\n"),
        ("header", f"Authorization: Bearer {TOKEN}\n"),
        ("azd", f'{{"token":"{TOKEN}","expiresOn":"2030-01-01T00:00:00Z"}}\n'),
        ("env", f"AZURE_ACCESS_TOKEN={TOKEN}\nAZURE_ACCESS_TOKEN_EXPIRES_ON={EXPIRES_ON}\n"),
        (
            "powershell",
            f"$env:AZURE_ACCESS_TOKEN = '{TOKEN}'\n"
            f"$env:AZURE_ACCESS_TOKEN_EXPIRES_ON = '{EXPIRES_ON}'\n",
        ),
        (
            "dotenv",
            f'AZURE_ACCESS_TOKEN="{TOKEN}"\nAZURE_ACCESS_TOKEN_EXPIRES_ON="{EXPIRES_ON}"\n',
        ),
        (
            "github",
            f"::add-mask::{TOKEN}\nAZURE_ACCESS_TOKEN={TOKEN}\n"
            f"AZURE_ACCESS_TOKEN_EXPIRES_ON={EXPIRES_ON}\n",
        ),
    ],
)
def test_text(kind: str, text: str) -> None:
    assert written(kind) == text


def test_export_is_read_by_a_shell() -> None:
    script = written("export") + 'printf "%s %s" "$AZURE_ACCESS_TOKEN" "$((1 + 1))"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == f"{TOKEN} 2"
    assert shlex.split(written("export"))[1] == f"AZURE_ACCESS_TOKEN={TOKEN}"


@pytest.mark.parametrize("kind", formats._WRITERS)
@given(st.from_regex(r"[A-Za-z0-9\-._~+/]+=*", fullmatch=True))
def test_what_a_token_may_be_needs_no_escape(kind: str, token: str) -> None:
    """Every text that `record.is_token` lets through comes out as it went in, and nothing else."""
    assert record.is_token(token)
    text = formats.write(kind, token, EXPIRES_ON, "contoso.com")
    assert text.endswith("\n")
    assert READERS[kind](text) == token


def second_word(text: str) -> str:
    """Read assignments as a POSIX shell does."""
    names = [word.partition("=") for word in shlex.split(text) if word != "export"]
    assert [name for name, _, _ in names] == [formats.NAME, formats.EXPIRY]
    return names[0][2]


def powershell(text: str) -> str:
    first, second, end = text.split("\n")
    assert (second, end) == (f"$env:{formats.EXPIRY} = '{EXPIRES_ON}'", "")
    name, _, value = first.partition(" = ")
    assert name == f"$env:{formats.NAME}"
    assert (value[0], value[-1], value.count("'")) == ("'", "'", 2)
    return value[1:-1]


def github(text: str) -> str:
    mask, _, assignments = text.partition("\n")
    assert mask == "::add-mask::" + second_word(assignments)
    return second_word(assignments)


READERS = {
    "token": lambda text: text[:-1],
    "header": lambda text: text[:-1].removeprefix("Authorization: Bearer "),
    "json": lambda text: json.loads(text)["accessToken"],
    "azd": lambda text: json.loads(text)["token"],
    "env": second_word,
    "export": second_word,
    "powershell": powershell,
    "dotenv": second_word,
    "github": github,
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a\nb",
        "a\r",
        "a'b",
        "a'; touch /tmp/x; '",
        "$(id)",
        "`id`",
        'a"b',
        "a\\b",
        "ä",
    ],
)
def test_what_needs_an_escape_is_no_token(text: str) -> None:
    assert not record.is_token(text)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_json_has_the_shape_of_az(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        value = json.loads(written("json"))
        assert list(value) == ["accessToken", "expiresOn", "expires_on", "tenant", "tokenType"]
        assert value["accessToken"] == TOKEN
        assert value["expires_on"] == EXPIRES_ON
        local = datetime.strptime(value["expiresOn"], "%Y-%m-%d %H:%M:%S.%f")
        assert local.astimezone(timezone.utc).timestamp() == EXPIRES_ON
        assert value["tokenType"] == "Bearer"
        assert value["tenant"] == "contoso.com"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_tenant_that_could_break_the_json_is_left_out() -> None:
    assert json.loads(written("json", tenant='x","accessToken":"y'))["tenant"] == ""
