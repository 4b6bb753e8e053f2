"""Listening sockets: bound to every address of a host, and closed to newcomers at the end."""

import ctypes
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from errno import EADDRNOTAVAIL, EAFNOSUPPORT
from typing import Any, Final

_NO_NEWCOMERS: Final = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFF),  # or else take it
)
"""A filter (bpf(4)): code, jump if true, jump if false, operand."""
_SO_ATTACH_FILTER: Final = 26


class CannotListen(Exception):
    """An address that can't be listened on, in words for the operator."""

    def __init__(self, host: str, port: int, fault: OSError | None) -> None:
        super().__init__(f"{host}, port {port}: can't be listened on: {fault and fault.strerror}")


def bind(host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address of a host; :: is every address, of IPv4 as well.

    Raise CannotListen.
    """
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    try:
        for family, *_, address in socket.getaddrinfo(host or None, port, type=kind, flags=flags):
            free = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_bind(family, (str(address[0]), free, *address[2:])))
            except OSError as why:
                if why.errno not in {EADDRNOTAVAIL, EAFNOSUPPORT}:  # a name may be IPv6's, too
                    raise
                missing = why
    except OSError as why:
        for each in sockets:
            each.close()
        raise CannotListen(host, port, why) from None
    if not sockets:
        raise CannotListen(host, port, missing)
    return sockets


def _bind(family: int, address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound


def keep_newcomers_out(sockets: Sequence[socket.socket]) -> None:
    """Drop what newcomers send first, so that what is in the queue can be accepted to its end.

    Whom the kernel has let in, but nobody accepted, is reset with the request that they have
    sent when the socket is closed. A newcomer sends again, to whoever listens then. Where there
    are no such filters, as outside Linux, some are reset.
    """
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *one) for one in _NO_NEWCOMERS)
    )
    attached = struct.pack("@HP", len(_NO_NEWCOMERS), ctypes.addressof(program))
    for each in sockets:
        with suppress(OSError):  # a sandbox may know of none either
            each.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
