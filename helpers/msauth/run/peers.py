"""Whose a loopback connection is, where the system says it."""

import sys

_LOOPBACK = f"{int.from_bytes(bytes((127, 0, 0, 1)), sys.byteorder):08X}"
_MAPPED = f"{0:016X}{int.from_bytes(bytes((0, 0, 255, 255)), sys.byteorder):08X}{_LOOPBACK}"
"""`::ffff:127.0.0.1`, by which an IPv6 socket reaches the same port."""


def owners(port: int) -> dict[int, int]:
    """Return the user id behind each local port that is connected to 127.0.0.1:port.

    proc(5), /proc/net/tcp and tcp6 (Linux): local and remote address as hexadecimal
    `ADDRESS:PORT`, the user id in the eighth column. {} on other systems. The kernel walks over
    every TCP socket for it, a millisecond or two for a thousand of them.
    """
    found: dict[int, int] = {}
    for name, address in (("tcp", _LOOPBACK), ("tcp6", _MAPPED)):
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
