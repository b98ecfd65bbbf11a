"""Whose a connection to a loopback port is, as Linux says it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable

import pytest

from msauth.run import peers

Owners = Callable[[int, Iterable[int]], dict[int, int]]


pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux says whose a connection is"
)
FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")]
STRANGER = """
import socket, os, sys
os.setuid(65534)
other = socket.socket(int(sys.argv[1]))
other.connect((sys.argv[2], int(sys.argv[3])))
print(other.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["asked", "listed", "refused"])
def owners(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Owners:
    """Whose the connections are, by either way of knowing it."""
    if request.param == "listed":
        monkeypatch.setattr(socket, "AF_NETLINK", 4000)  # as where a sandbox does not allow it
        with pytest.raises(OSError, match="not supported"):
            peers._asked(1, [2])
    elif request.param == "refused":
        monkeypatch.setattr(peers, "_BY_FAMILY", 99)  # as by a kernel that answers otherwise
        with pytest.raises(OSError, match="sock_diag"):
            peers._asked(1, [2])
    return peers.owners


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_the_owner_of_a_connection_is_known(owners: Owners, family: int, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect((address, port))
            ours = client.getsockname()[1]
            assert owners(port, [ours]) == {ours: os.getuid()}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_another_user_is_told_from_us(owners: Owners, family: int, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        argv = [sys.executable, "-c", STRANGER, str(int(family)), address, str(port)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
            assert stranger.stdout is not None
            theirs = int(stranger.stdout.readline())
            assert owners(port, [theirs]) == {theirs: 65534}
            stranger.communicate()


def test_a_port_that_is_not_connected_is_nobodys(owners: Owners) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert owners(listener.getsockname()[1], [1]) == {}
