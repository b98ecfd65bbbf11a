"""Every output format, read back by what reads it."""

import json
import shlex
import subprocess
import time
from datetime import datetime, timezone

import pytest

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
