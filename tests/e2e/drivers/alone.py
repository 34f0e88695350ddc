"""Runs a program in a network of its own, where nothing is but a way to one socket: ``alone.py SOCKET PROGRAM ...``.

The way is a port of the loopback address; the program finds its URL in ANTHROPIC_BASE_URL. Run it by ``unshare --net``.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading

SET_FLAGS, UP_AND_RUNNING = 0x8914, 0x41


def main() -> int:
    path, *command = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14s", b"lo", UP_AND_RUNNING, b""))
    way = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(way, path), daemon=True).start()
    environment = os.environ | {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{way.getsockname()[1]}"}
    return subprocess.run(command, env=environment, check=False).returncode


def accept(way: socket.socket, path: str) -> None:
    while True:
        here, _ = way.accept()
        there = socket.socket(socket.AF_UNIX)
        there.connect(path)
        for one, other in ((here, there), (there, here)):
            threading.Thread(target=carry, args=(one, other), daemon=True).start()


def carry(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


sys.exit(main())
