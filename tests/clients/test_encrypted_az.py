"""The real az with its tokens in a keyring, as it will be by default."""

import json
from pathlib import Path

import pytest

from .conftest import EncryptedAz

ASK = ("account", "get-access-token", "--resource", "https://management.azure.com")

pytestmark = pytest.mark.real_az


def test_its_tokens_are_in_the_keyring(encrypted_az: EncryptedAz) -> None:
    done = encrypted_az(*ASK)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accessToken"].count(".") == 2
    folder = Path(encrypted_az.env["AZURE_CONFIG_DIR"])
    assert not (folder / "msal_token_cache.json").exists()
    assert (folder / "msal_token_cache.bin").read_bytes() == b""


def test_without_the_bus_it_has_none(encrypted_az: EncryptedAz) -> None:
    done = encrypted_az(*ASK, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
    assert done.returncode != 0
    assert not done.stdout
