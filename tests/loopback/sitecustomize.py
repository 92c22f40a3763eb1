"""On the path of every process that the tests start: sockets reach this machine alone.

A course that fetches nothing must be tested where nothing can be fetched. Where `tests/offline` cannot take the
network away, this refuses every address but loopback, in kernels and commands alike.
"""

import socket

_LOCAL = ("127.", "::1", "localhost", "0.0.0.0")


def _guard(name):
    original = getattr(socket.socket, name)

    def only_loopback(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(_LOCAL):
            raise ConnectionRefusedError(f"tests see the loopback interface only; refused {address[0]}")
        return original(self, address, *rest)

    setattr(socket.socket, name, only_loopback)


_guard("connect")
_guard("connect_ex")
