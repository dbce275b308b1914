# SPDX-License-Identifier: BSD-2-Clause
"""A loopback of our own. Where the system's congestion control is BBR, it paces even the loopback: what a send costs then
depends on the bandwidth that it believes in, by a factor of three between two runs of the same program. In a network
namespace of its own a measurement uses Reno, and meets no ports or filters of others. Needs privileges or user namespaces;
without them the system's loopback is used, and the first line of the output says so."""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control"


def control():
    try:
        with open(CONTROL, encoding="ascii") as text:
            return text.read().strip()
    except OSError:
        return "?"


def unshare():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return True
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as out:
            out.write(line)
    return True


def enter():
    """Returns how the loopback is, in a few words."""
    system = f"the system's, {control()}"
    try:
        if not unshare():
            return system
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    except OSError as error:
        raise SystemExit(f"the loopback cannot be set up: {error}") from error
    try:
        with open(CONTROL, "w", encoding="ascii") as out:
            out.write("reno")
    except OSError:
        pass  # a container that may not: measured with what is there, and said so
    return f"its own, {control()}"
