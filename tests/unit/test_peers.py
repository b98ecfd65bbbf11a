"""Whose a connection to a loopback port is, as Linux says it."""

import os
import socket
import sys

import pytest

from msauth.run import peers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")]
)
def test_the_owner_of_a_connection_is_known(family: int, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect((address, port))
            assert peers.owners(port).get(client.getsockname()[1]) == os.getuid()
