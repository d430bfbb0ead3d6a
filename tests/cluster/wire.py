"""Reading a capture: TCP streams out of raw IP packets, TLS records out of streams. Pure."""

import struct
from collections import defaultdict
from collections.abc import Iterator

import msgspec

FILE_HEADER, PACKET_HEADER = 24, 16
TCP = 6

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2
SUPPORTED_VERSIONS, TLS_1_3 = 43, 0x0304


class Way(msgspec.Struct, frozen=True):
    """One direction of a TCP connection."""

    source: str
    source_port: int
    target: str
    target_port: int


class Record(msgspec.Struct, frozen=True):
    """A TLS record (RFC 8446, 5.1)."""

    kind: int
    content: bytes


def packets(capture: bytes) -> Iterator[bytes]:
    """The IP packets of a pcap file."""
    at = FILE_HEADER
    while at < len(capture):
        (length,) = struct.unpack_from("<8xI", capture, at)
        at += PACKET_HEADER
        yield capture[at : at + length]
        at += length


def streams(capture: bytes) -> dict[Way, bytes]:
    """What was said on each TCP connection, each way, in order; for captures without a gap."""
    pieces: defaultdict[Way, dict[int, bytes]] = defaultdict(dict)
    starts: dict[Way, int] = {}
    for packet in packets(capture):
        header = (packet[0] & 15) * 4
        if packet[9] != TCP:
            continue
        source_port, target_port, sequence, offset, flags = struct.unpack_from(">HHI4xBB", packet, header)
        addresses = [".".join(map(str, packet[at : at + 4])) for at in (12, 16)]
        way = Way(addresses[0], source_port, addresses[1], target_port)
        if flags & 2:  # SYN
            starts[way] = sequence + 1
        elif content := packet[header + (offset >> 4) * 4 :]:
            pieces[way][(sequence - starts.get(way, sequence)) % 2**32] = content
    return {way: _joined(parts) for way, parts in pieces.items()}


def _joined(parts: dict[int, bytes]) -> bytes:
    stream = bytearray()
    for at, content in sorted(parts.items()):
        if at <= len(stream):
            stream[at : at + len(content)] = content
    return bytes(stream)


def records(stream: bytes) -> list[Record]:
    """The whole TLS records of a stream."""
    found, at = [], 0
    while at + 5 <= len(stream):
        kind, length = stream[at], int.from_bytes(stream[at + 3 : at + 5])
        found.append(Record(kind, stream[at + 5 : at + 5 + length]))
        at += 5 + length
    return found


def chosen_version(server_hello: bytes) -> int:
    """The version that a server chose: of its extension, or else the old field (RFC 8446, 4.2.1)."""
    at = 4 + 2 + 32
    at += 1 + server_hello[at] + 2 + 1  # session id, cipher, compression
    end = at + 2 + int.from_bytes(server_hello[at : at + 2])
    at += 2
    while at < end:
        kind, length = struct.unpack_from(">HH", server_hello, at)
        if kind == SUPPORTED_VERSIONS:
            return int.from_bytes(server_hello[at + 4 : at + 6])
        at += 4 + length
    return int.from_bytes(server_hello[4:6])
