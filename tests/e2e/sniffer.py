#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Writes one line for every packet that arrives outside.

Usage: sniffer.py INTERFACE LOG

This is the witness of every test: what is not in the log did not get out, whatever the sender was
told. Neighbour discovery and ARP are left out, and so is what the agent's kernel says of a packet
that the outside sent to a socket that is closed by now, which may be a job's of an earlier test.
Bytes that cannot be printed become dots, so a secret can be looked for in the payload of any
protocol.
"""
import collections
import socket
import struct
import sys

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp", 136: "udplite"}
# "Port unreachable": type and code; a checksum; zeroes; then the packet that it is about, or as much of
# it as makes 1,280 bytes.
PORT_UNREACHABLE = {1: b"\3\3", 58: b"\1\4"}
QUOTED_MIN, QUOTED_MAX = 28, 1280
SENT_KEPT = 4096
PRINTABLE = bytes(b if 0x21 <= b < 0x7F else 0x2E for b in range(256))
TCP_FLAGS = "FSRPAU"


def upper_layer(packet):
    """Returns (source, destination, protocol, payload), or None for what is not to be logged."""
    version = packet[0] >> 4
    if version == 4:
        header = (packet[0] & 15) * 4
        size = struct.unpack("!H", packet[2:4])[0]
        return (socket.inet_ntop(socket.AF_INET, packet[12:16]),
                socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[9], packet[header:size])
    if version == 6:
        size = struct.unpack("!H", packet[4:6])[0]
        body = packet[40:40 + size]
        # Neighbour discovery, and multicast listener reports behind a hop-by-hop header.
        if packet[6] == 58 and 130 <= body[0] <= 137 or packet[6] == 0 and body[0] == 58:
            return None
        return (socket.inet_ntop(socket.AF_INET6, packet[8:24]),
                socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[6], body)
    return None


def repeats_only(protocol, message, sent):
    """Is it "port unreachable" about one of the packets `sent`, with no byte of the agent's own?"""
    quoted = message[8:]
    return (message[:2] == PORT_UNREACHABLE.get(protocol) and message[4:8] == bytes(4) and
            len(quoted) >= QUOTED_MIN and any(packet.startswith(quoted) for packet in sent))


def line_of(packet, sent):
    """`sent` is what the outside sent before."""
    parts = upper_layer(packet)
    if not parts:
        return None
    source, destination, protocol, payload = parts
    if repeats_only(protocol, payload, sent):
        return None
    name = NAMES.get(protocol, "proto%d" % protocol)
    if protocol in (6, 17, 132, 136) and len(payload) >= 8:
        sport, dport = struct.unpack("!HH", payload[:4])
        source, destination = "%s.%d" % (source, sport), "%s.%d" % (destination, dport)
        if protocol == 6 and len(payload) >= 20:
            flags = "".join(f for i, f in enumerate(TCP_FLAGS) if payload[13] >> i & 1)
            name += "[%s]" % flags
            payload = payload[(payload[12] >> 4) * 4:]
        else:
            payload = payload[8:]
    return "%s %s > %s %d %s\n" % (name, source, destination, len(payload),
                                   payload.translate(PRINTABLE).decode())


def main():
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    packets.bind((sys.argv[1], ETH_P_ALL))
    with open(sys.argv[2], "w", buffering=1) as log:
        log.write("# listening\n")
        sent = collections.deque(maxlen=SENT_KEPT)
        while True:
            packet, address = packets.recvfrom(65536)
            if address[1] not in (ETH_P_IP, ETH_P_IPV6):
                continue
            if address[2] == PACKET_OUTGOING:
                sent.append(packet[:QUOTED_MAX])
                continue
            line = line_of(packet, sent)
            if line:
                log.write(line)


main()
