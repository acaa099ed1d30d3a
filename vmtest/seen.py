#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One attempt that only one of the guard's hooks refuses: seen.py HOOK. Prints what the caller got:
the name of the error, "silence" where nothing came, or "passed".
"""
import errno
import os
import pathlib
import socket
import struct
import sys
import time

import job

EVIL4, EVIL6 = "203.0.113.66", "2001:db8:e::66"


def connect(family, host):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(0.2 * job.SLOW)
        sock.connect((host, 8080))


def sendmsg(family, host):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(job.SECRET, (host, 9999))


def ping():
    """A ping socket passes neither a connect nor a sendmsg hook when it sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
        sock.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1) + job.SECRET, (EVIL4, 0))


def hear():
    case = pathlib.Path(os.environ["CASE"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 7000))
        (case / "ready").touch()
        while not (case / "go").exists():
            time.sleep(0.01)
        sock.settimeout(0.2 * job.SLOW)
        sock.recv(100)


ATTEMPTS = {
    "connect4": lambda: connect(socket.AF_INET, EVIL4),
    "connect6": lambda: connect(socket.AF_INET6, EVIL6),
    "sendmsg4": lambda: sendmsg(socket.AF_INET, EVIL4),
    "sendmsg6": lambda: sendmsg(socket.AF_INET6, EVIL6),
    "egress": ping,
    "ingress": hear,
    "sock_create": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP),
}

try:
    ATTEMPTS[sys.argv[1]]()
    print("passed")
except TimeoutError:
    print("silence")
except OSError as refused:
    print(errno.errorcode[refused.errno])
