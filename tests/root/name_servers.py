"""name_servers.py: a DNS server on 127.0.0.1:53 and an ident server on port 113, good and bad by address.

The last byte of the client's address chooses what they do; see NAMES and USERS. Prints "ready".
"""
import socket
import struct
import threading

SILENT, SERVFAIL = "silent", "servfail"
NAMES = {  # PTR records of 127.0.0.N
    1: [b"server.example"],
    2: [b"Good.Example"],
    3: [b"forged.example"],
    5: SERVFAIL,
    6: SILENT,
    7: [b"a\x1b[31m\xff\x07b.example"],
    8: [b"first.example", b"second.example"],
}
ADDRESSES = {b"good.example": "127.0.0.2", b"forged.example": "203.0.113.9", b"first.example": "127.0.0.8",
             b"server.example": "127.0.0.1"}
USERS = {
    2: b"%s : USERID : UNIX : jo hn\r\n",
    3: b"%s : ERROR : NO-USER\r\n",
    6: SILENT,
    7: b"%s : USERID : UNIX : a\x1b]0;x\x07\xffb\r\n",
    8: b"%s : USERID : UNIX : a:b:c\r\n",
}


def labels(name):
    return b"".join(bytes([len(part)]) + part for part in name.split(b".")) + b"\0"


def read_name(packet, at):
    parts = []
    while packet[at]:
        parts.append(packet[at + 1 : at + 1 + packet[at]])
        at += 1 + packet[at]
    return b".".join(parts).lower(), at + 1


def answer(packet):
    name, end = read_name(packet, 12)
    qtype = struct.unpack("!H", packet[end : end + 2])[0]
    question = packet[12 : end + 4]
    records, rcode = [], 0
    if qtype == 12 and name.endswith(b".0.0.127.in-addr.arpa"):
        known = NAMES.get(int(name.split(b".")[0]))
        if known == SILENT:
            return None
        if known == SERVFAIL:
            rcode = 2
        elif known is None:
            rcode = 3
        else:
            records = [(12, labels(host)) for host in known]
    elif qtype == 1 and name in ADDRESSES:
        records = [(1, socket.inet_aton(ADDRESSES[name]))]
    elif name not in ADDRESSES:
        rcode = 3
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for kind, data in records)
    return packet[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(records), 0, 0) + question + body


def serve_dns(sock):
    while True:
        packet, client = sock.recvfrom(2048)
        reply = answer(packet)
        if reply is not None:
            sock.sendto(reply, client)


def serve_ident(connection):
    with connection:
        line = connection.recv(100)
        user = USERS.get(int(connection.getsockname()[0].split(".")[3]))
        if user == SILENT:
            connection.recv(1)  # until the other side gives up
        elif user is not None:
            connection.sendall(user % line.strip())


dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("127.0.0.1", 53))
ident = socket.create_server(("0.0.0.0", 113))
threading.Thread(target=serve_dns, args=(dns,), daemon=True).start()
print("ready", flush=True)
while True:
    threading.Thread(target=serve_ident, args=(ident.accept()[0],), daemon=True).start()
