#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hostile clients of the daemon's socket, all at once and for a bounded time.

    hostile.py SOCKET [SECONDS] [CONNECTIONS]

Keeps up to CONNECTIONS (default 1000) open for SECONDS (default 10): ones that say nothing, half a
line, far too much, nonsense, deep nesting, NUL bytes, many lines; ones that ask for events and never
read; ones that close at once. Prints what came back as one JSON object: how many connections, how
many answers, how many of them errors, and whatever was not one line of JSON ("odd"), which must be
0. Exit status: 0; 1 if anything was odd; 2 if the socket was gone.
"""
import json
import os
import random
import resource
import select
import socket
import sys
import time

EVENTS = b'{"request":"events","follow":true}\n'
REQUESTS = [
    b"",
    b'{"request":',
    b"A" * 100000,
    b'{"request":"' + b"x" * 16000 + b'"}\n',
    b"hello\n",
    b"\n",
    b"\0\0\0\n",
    b"[" * 16000 + b"\n",
    b'{"a":' * 3000 + b"\n",
    b'{"request":"status","request":"reload"}\n',
    b'{"request":"status"}\n{"request":"reload"}\n',
    b'{"request":"\xff\xfe"}\n',
    b'{"request":"\\u0000"}\n',
    b'{"request":"events","follow":true,"job":"../../x"}\n',
    b'{"request":"events","follow":"yes","job":7}\n',
    b'{"request":"attach","job":"##vso[x]","cgroup":"/../../etc"}\n',
    b'{"request":"detach","job":["a"]}\n',
    b'{"request":{"request":"reload"}}\n',
    b'{"request":"status","cgroup":"' + b"/a" * 4000 + b'"}\n',
    b'{"request":' + b"9" * 5000 + b"}\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    bytes(range(256)) * 8 + b"\n",
    EVENTS,
    EVENTS,
]


class Hostile:
    def __init__(self, path):
        self.path = path
        self.clients = {}
        self.counts = {"connections": 0, "refused": 0, "answers": 0, "errors": 0, "odd": 0}
        self.examples = []

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.setblocking(False)
        try:
            client.connect(self.path)
        except BlockingIOError:
            self.counts["refused"] += 1     # the backlog is full
            client.close()
            return
        self.counts["connections"] += 1
        request = random.choice(REQUESTS)
        try:
            client.send(request)
        except OSError:
            pass
        if random.random() < 0.1:
            client.close()
            return
        if random.random() < 0.1:
            client.shutdown(socket.SHUT_WR)
        # Who asked for events and never reads is the slow reader.
        self.clients[client] = None if request == EVENTS else b""

    def read(self, client):
        try:
            got = client.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        self.clients[client] += got
        if not got:
            self.judge(self.clients.pop(client))
            client.close()

    def judge(self, text):
        for line in text.splitlines(keepends=True):
            try:
                answer = json.loads(line)
                whole = line.endswith(b"\n") and isinstance(answer, dict) and text.isascii()
            except ValueError:
                whole = False
            if not whole:
                self.counts["odd"] += 1
                self.examples.append(ascii(line[:200]))
                continue
            self.counts["answers"] += 1
            self.counts["errors"] += answer.get("ok") is False

    def run(self, seconds, most):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(20):
                if len(self.clients) < most:
                    self.connect()
            readers = [client for client, text in self.clients.items() if text is not None]
            poll = select.poll()
            for client in readers:
                poll.register(client, select.POLLIN)
            by_number = {client.fileno(): client for client in readers}
            for number, _ in poll.poll(10):
                self.read(by_number[number])
            # Room for others: some of the oldest give up.
            for client in list(self.clients)[:max(0, len(self.clients) - most + 20)]:
                del self.clients[client]
                client.close()


def main():
    path = sys.argv[1]
    seconds = min(float(sys.argv[2]) if len(sys.argv) > 2 else 10, 120)
    most = min(int(sys.argv[3]) if len(sys.argv) > 3 else 1000, 2000)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = most + 100 if hard == resource.RLIM_INFINITY else min(most + 100, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    random.seed(os.environ.get("SEED", "1"))
    hostile = Hostile(path)
    status = 0
    try:
        hostile.run(seconds, min(most, files - 50))
    except (ConnectionRefusedError, FileNotFoundError) as error:
        hostile.examples.append(str(error))
        status = 2
    print(json.dumps(dict(hostile.counts, examples=hostile.examples[:5])))
    return status or (1 if hostile.counts["odd"] else 0)


sys.exit(main())
