#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a job does while its daemon is killed again and again: killed_job.py NAME ROUNDS FOLDER

Each round one allowed exchange, and two attempts that must be refused. Writes FOLDER/done-NAME:
rounds, allowed exchanges that failed, attempts that were not refused, attempts in all.
"""
import random
import socket
import sys
import time

ALLOWED = ("198.51.100.64", 9999)
FORBIDDEN = ("203.0.113.66", 8080)


def exchange():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(b"ping", ALLOWED)
        sock.recv(100)


def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(FORBIDDEN)


def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"leak", FORBIDDEN)


def main():
    name, rounds, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    failed = open_ = attempts = 0
    first = ""
    for _ in range(rounds):
        try:
            exchange()
        except OSError as error:
            failed += 1
            first = first or str(error)
        for attempt in (connect, send):
            attempts += 1
            try:
                attempt()
                open_ += 1
            except PermissionError:
                pass
        time.sleep(random.random() / 10)
    with open("%s/done-%s" % (folder, name), "w") as out:
        print(rounds, failed, open_, attempts, first, file=out)


main()
