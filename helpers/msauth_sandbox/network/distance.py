"""A distance between a client and the cloud: what either sends arrives half a round trip later."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque

_CHUNK = 64 * 1024


class Distance(threading.Thread):
    """Relays between ``near``, the client's connection, and ``far``, which the cloud uses instead.

    Every burst is delayed for itself, so that more round trips take longer and more bytes do not.
    Ends once the cloud has closed ``far`` and what it sent has arrived. ``near`` is left open.
    """

    def __init__(self, near: socket.socket, round_trip: float) -> None:
        super().__init__(daemon=True, name="distance")
        self._near = near
        self._delay = round_trip / 2
        self.far, self._end = socket.socketpair()

    def run(self) -> None:
        try:
            self._relay()
        except OSError:
            pass  # one side is gone, and the other learns it from the end of its connection
        finally:
            self._end.close()

    def _relay(self) -> None:
        # Both directions have the same delay, so one queue is in the order of arrival.
        under_way: deque[tuple[float, socket.socket, bytes]] = deque()
        receiver = {self._near: self._end, self._end: self._near}
        with selectors.DefaultSelector() as selector:
            for sender, to in receiver.items():
                selector.register(sender, selectors.EVENT_READ, to)
            while True:
                pause = max(0, under_way[0][0] - time.monotonic()) if under_way else None
                for key, _ in selector.select(pause):
                    data = key.fileobj.recv(_CHUNK)  # type: ignore[union-attr] # a socket, as above
                    under_way.append((time.monotonic() + self._delay, key.data, data))
                    if not data:
                        selector.unregister(key.fileobj)
                while under_way and under_way[0][0] <= time.monotonic():
                    _, arrives_at, data = under_way.popleft()
                    if data:
                        arrives_at.sendall(data)
                        continue
                    arrives_at.shutdown(socket.SHUT_WR)
                    if arrives_at is self._near:
                        return
