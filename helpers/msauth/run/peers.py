"""Whose a loopback connection is, where the system says it."""

import errno
import socket
import struct
import sys
from collections.abc import Iterable

_LOOPBACK = bytes((127, 0, 0, 1))
_LOCAL = f"{int.from_bytes(_LOOPBACK, sys.byteorder):08X}"
_MAPPED = f"{0:016X}{int.from_bytes(bytes((0, 0, 255, 255)), sys.byteorder):08X}{_LOCAL}"
"""`::ffff:127.0.0.1`, by which an IPv6 socket reaches the same port."""
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_UID = 80
"""Where an answer of sock_diag(7) has the user id: nlmsghdr, then inet_diag_msg."""


def owners(port: int, clients: Iterable[int]) -> dict[int, int]:
    """Return the user id behind each of these local ports that is connected to 127.0.0.1:port.

    {} on other systems than Linux. sock_diag(7) says it in a few microseconds for each. Where
    that may not be asked proc(5) does: the kernel walks over every TCP socket for it, which takes
    tens of milliseconds after a busy minute.
    """
    if sys.platform != "linux":
        return {}
    try:
        return _asked(port, clients)
    except OSError:
        return _listed(port)


def _asked(port: int, clients: Iterable[int]) -> dict[int, int]:
    """Ask for one socket after the other; the kernel has answered when `send` returns.

    Raises OSError where the kernel has no sock_diag, or a sandbox does not let us ask it.
    """
    found = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:  # NETLINK_SOCK_DIAG
        diag.setblocking(False)
        for client in clients:
            address = struct.pack("!HH16s16s", client, port, _LOOPBACK, _LOOPBACK)
            # Any state, any interface, no cookie.
            tcp = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
            body = tcp + address + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
            diag.send(struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, 1, 0, 0) + body)
            answer = diag.recv(4096)
            if struct.unpack_from("=H", answer, 4)[0] == _BY_FAMILY:
                found[client] = struct.unpack_from("=I", answer, _UID)[0]
            elif (error := -struct.unpack_from("=i", answer, 16)[0]) != errno.ENOENT:
                raise OSError(error, "sock_diag")
    return found


def _listed(port: int) -> dict[int, int]:
    """Read all of them from /proc/net/tcp and tcp6.

    Each line has the local and the remote address as hexadecimal `ADDRESS:PORT`, and the user id
    in the eighth column.
    """
    found: dict[int, int] = {}
    for name, address in (("tcp", _LOCAL), ("tcp6", _MAPPED)):
        remote = f"{address}:{port:04X}"
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as table:
                for line in table:
                    if remote not in line:
                        continue
                    columns = line.split()
                    if len(columns) > 7 and columns[2] == remote:
                        found[int(columns[1].rpartition(":")[2], 16)] = int(columns[7])
        except (OSError, ValueError):
            continue
    return found
