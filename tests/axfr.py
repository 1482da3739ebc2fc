"""axfr.py PORT SOURCE ZONE: asks 127.0.0.1 for a zone (RFC 5936) from that address; prints "NAME TYPE" for each record.

Exit 1 when the server closes instead."""
import socket
import struct
import sys

TYPES = {1: "A", 2: "NS", 6: "SOA", 15: "MX"}
AXFR, IN = 252, 1
IDENTIFIER = 77


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(message):
    """Name and type of the one answer in a message; axfrdns compresses no name."""
    identifier, flags, questions, answers, _, _ = struct.unpack(">6H", message[:12])
    if (identifier, flags & 0x800F, questions, answers) != (IDENTIFIER, 0x8000, 0, 1):
        sys.exit(f"not an answer to us: {message[:12]!r}")
    at, labels = 12, []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    kind, = struct.unpack(">H", message[at + 1:at + 3])
    return ".".join(labels), TYPES[kind]


def read_messages(stream):
    while (length := stream.read(2)) != b"":
        yield stream.read(*struct.unpack(">H", length))


def main():
    port, source, zone = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    query = struct.pack(">6H", IDENTIFIER, 0, 1, 0, 0, 0) + wire_name(zone) + struct.pack(">2H", AXFR, IN)
    records = []
    try:
        with socket.create_connection(("127.0.0.1", port), 10, (source, 0)) as sock:
            sock.sendall(struct.pack(">H", len(query)) + query)
            with sock.makefile("rb") as stream:
                for message in read_messages(stream):
                    records.append(record(message))
                    if len(records) > 1 and records[-1][1] == "SOA":  # the zone ends as it began
                        break
    except (ConnectionResetError, BrokenPipeError):
        pass
    for name, kind in records:
        print(name, kind)
    sys.exit(not records)


main()
