#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The services of the outside: TLS, HTTP, and TCP and UDP echo, on every address of the namespace.

Usage: server.py CERTIFICATE KEY READY

What they receive is not recorded here but by the sniffer. READY is created once all of them listen.
"""
import asyncio
import pathlib
import socket
import ssl
import struct
import sys
import threading

TLS_PORTS = (443, 8443)
HTTP_PORTS = (80, 8081, 32526)
ECHO_PORTS = (22, 853, 5432, 8080, 9000)
UDP_PORTS = (123, 443, 853, 5353, 9999)
IPV6_FREEBIND = 78


async def http(reader, writer):
    """Answers one request with a line that says who was asked."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        host = next((line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")
                     if line.lower().startswith(b"host:")), b"?")
        size = next((int(line.split(b":", 1)[1]) for line in head.split(b"\r\n")
                     if line.lower().startswith(b"content-length:")), 0)
        await reader.readexactly(size)
        body = b"hello from " + host + b"\n"
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(body), body))
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def echo(reader, writer):
    try:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def listener(port):
    """A socket on all addresses, IPv4 and IPv6, so that one server serves every test address."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    sock.bind(("::", port))
    sock.listen(4096)
    return sock


def udp_echo(sock):
    """Answers from the address that was asked, which needs the packet's own information."""
    while True:
        block, ancillary, _, peer = sock.recvmsg(65536, socket.CMSG_SPACE(20))
        info = next(value for level, kind, value in ancillary if kind == socket.IPV6_PKTINFO)
        source = struct.pack("@16sI", info[:16], 0)
        try:
            sock.sendmsg([block], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, source)], 0, peer)
        except OSError:
            pass


def udp_start(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    # Answers come from addresses that only a local route, not an interface, has.
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    sock.bind(("::", port))
    threading.Thread(target=udp_echo, args=(sock,), daemon=True).start()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    for port in TLS_PORTS:
        await asyncio.start_server(http, sock=listener(port), ssl=context)
    for port in HTTP_PORTS:
        await asyncio.start_server(http, sock=listener(port))
    for port in ECHO_PORTS:
        await asyncio.start_server(echo, sock=listener(port))
    for port in UDP_PORTS:
        udp_start(port)
    pathlib.Path(sys.argv[3]).touch()
    await asyncio.Event().wait()


asyncio.run(main())
