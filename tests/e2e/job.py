#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a job does on the network, as a module for the tests' own scripts and as a command:

  job.py tcp|udp|udp-connected|sendmsg HOST PORT    send $SECRET, wait for its echo
  job.py ask NAME [TYPE [SERVER]]                   a hand-made resolver: prints the addresses
  job.py ask-tcp NAME [PIECE]                       the same over TCP, in pieces of so many bytes

$SLOW lengthens every time limit, in the scripts that import this too.

Exit status: 0 it worked, 1 it was refused (the error is on stderr), 77 not possible here.
"""
import os
import socket
import struct
import sys

SECRET = os.environ.get("SECRET", "secret").encode()
RESOLVER = "192.0.2.53"
TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NULL": 10, "ANY": 255}
SLOW = int(os.environ.get("SLOW", "1"))
PATIENCE_S = 5 * SLOW


def unsupported(reason):
    """Ends an attack that this machine cannot even try."""
    print(reason, file=sys.stderr)
    sys.exit(77)


def open_socket(*arguments):
    """socket.socket(), or the end of the attack where the kernel has no such socket."""
    try:
        return socket.socket(*arguments)
    except OSError as error:
        # The guard refuses types with the same error, so only an unguarded run may say so.
        if "GUARDED" not in os.environ:
            unsupported("no such socket here: %s" % error)
        raise


def first_address(host, port, kind):
    """What getaddrinfo(3) gives first: family and address."""
    family, _, _, _, address = socket.getaddrinfo(host, port, 0, kind)[0]
    return family, address


def tcp(host, port, message=SECRET + b"\r\n\r\n"):
    family, address = first_address(host, port, socket.SOCK_STREAM)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address)
        sock.sendall(message)
        return sock.recv(65536)


def udp(host, port, message=SECRET, how="udp"):
    family, address = first_address(host, port, socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        if how == "udp-connected":
            sock.connect(address)
            sock.send(message)
        elif how == "sendmsg":
            sock.sendmsg([message], [], 0, address)
        else:
            sock.sendto(message, address)
        return sock.recv(65536)


def question(name, kind="A", number=None):
    """A DNS message with one question. `name` may be a list of raw labels."""
    labels = name if isinstance(name, list) else [label.encode() for label in name.rstrip(".").split(".")]
    number = struct.unpack("!H", os.urandom(2))[0] if number is None else number
    return (struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) +
            b"".join(bytes([len(label)]) + label for label in labels) + b"\0" +
            struct.pack("!2H", TYPES[kind], 1))


def skip_name(message, at):
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += message[at] + 1
    return at + 1


def addresses(message):
    """The A and AAAA records of an answer. Raises OSError when it has none."""
    at = skip_name(message, 12) + 4
    found = []
    for _ in range(struct.unpack("!H", message[6:8])[0]):
        at = skip_name(message, at)
        kind, _, _, size = struct.unpack("!HHIH", message[at:at + 10])
        at += 10
        if kind == TYPES["A"]:
            found.append(socket.inet_ntop(socket.AF_INET, message[at:at + 4]))
        elif kind == TYPES["AAAA"]:
            found.append(socket.inet_ntop(socket.AF_INET6, message[at:at + 16]))
        at += size
    if not found:
        raise OSError("no address in the answer, code %d" % (message[3] & 15))
    return found


def ask(message, server=RESOLVER, port=53):
    family, address = first_address(server, port, socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.sendto(message, address)
        return sock.recv(65536)


def read_answer(sock):
    """One length-prefixed DNS message from a TCP connection."""
    stream = sock.makefile("rb")
    size = stream.read(2)
    if len(size) < 2:
        raise OSError("the connection ended without an answer")
    return stream.read(struct.unpack("!H", size)[0])


def ask_tcp(stream, piece=65536, server=RESOLVER):
    """Sends bytes over a TCP connection to a resolver in pieces, each its own segment."""
    with socket.create_connection((server, 53), PATIENCE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(stream), piece):
            sock.sendall(stream[at:at + piece])
        return read_answer(sock)


def framed(message):
    return struct.pack("!H", len(message)) + message


def main(command, *rest):
    if command == "tcp":
        tcp(rest[0], int(rest[1]))
    elif command == "ask":
        kind = rest[1] if len(rest) > 1 else "A"
        print(*addresses(ask(question(rest[0], kind), *rest[2:])))
    elif command == "ask-tcp":
        piece = int(rest[1]) if len(rest) > 1 else 65536
        print(*addresses(ask_tcp(framed(question(rest[0])), piece)))
    else:
        udp(rest[0], int(rest[1]), how=command)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as refused:
        print("%s: %s" % (sys.argv[2], refused), file=sys.stderr)
        sys.exit(1)
