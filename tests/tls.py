#!/usr/bin/env python3
"""Clients for tls.bats.

    tls.py start|quiet|wrap|tunnel PORT [name=NAME] [max=1.2|1.3] [ciphers=LIST] [alpn=A,B] [cert=FILE] [key=FILE]
                           [times=N] [word=WORD]
        N sessions, each with the ticket of the one before: prints the variables, the name in the certificate, and
        the answer to WORD, then "--".
    tls.py bulk PORT BYTES MEMORY    BYTES there, then BYTES back, slowly read at first; PID of MEMORY stays small
    tls.py half PORT                 ends its own way first, and still hears the answer
    tls.py cut PORT                  leaves in the middle, without close_notify
    tls.py garbage PORT TEXT         STARTTLS, then TEXT instead of a hello: what comes back
    tls.py silent PORT               STARTTLS, then nothing: seconds until the end
    tls.py crowd PORT N PID          N sessions at once, in wrap mode, that echo: private memory of each process, descriptors of PID
    tls.py churn PORT N              N sessions of smtpd by STARTTLS, 16 at a time: how many went as they should"""

import os
import re
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def dial(port, word=b"STARTTLS"):
    s = socket.create_connection(("127.0.0.1", int(port)), 20)
    if word:
        until(s, b"\r\n")
        s.sendall(word + b"\r\n")
        assert until(s, b"\r\n") == b"220 go\r\n"
    return s


def until(s, end):
    got = b""
    while not got.endswith(end):
        byte = s.recv(1)
        if byte == b"":
            break
        got += byte
    return got


def piece(s):
    try:
        return s.recv(65536)
    except (ssl.SSLZeroReturnError, ConnectionResetError):  # both ways are closed now
        return b""


def rest(s):
    got = b""
    while (more := piece(s)) != b"":
        got += more
    return got


def context(o):
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if "max" in o:
        c.maximum_version = VERSIONS[o["max"]]
    if "ciphers" in o:
        c.set_ciphers(o["ciphers"])
    if "alpn" in o:
        c.set_alpn_protocols(o["alpn"].split(","))
    if "cert" in o:
        c.load_cert_chain(o["cert"], o["key"])
    return c


def subject(s):
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=s.getpeercert(True),
                          capture_output=True, check=True).stdout.decode()
    return re.sub(r".*CN *= *", "", text).strip()


def sessions(how, port, *options):
    o = dict(option.split("=", 1) for option in options)
    c, ticket = context(o), None
    for _ in range(int(o.get("times", 1))):
        word = {"start": b"STARTTLS", "quiet": b"QUIET", "wrap": None}[how]
        s = c.wrap_socket(dial(port, word), server_hostname=o.get("name"), session=ticket)
        print(until(s, b"\n\n").decode().rstrip("\n"))
        print("certificate " + subject(s))
        s.sendall(o.get("word", "BYE").encode() + b"\n")
        s = end(s)
        print(rest(s).decode().rstrip("\n"))
        print("ticket " + ("old" if ticket and ticket.id == s.session.id else "new"))
        ticket = s.session
        print("--")


def end(s):
    """close_notify, but the socket stays open: Python's unwrap() would wait for the other end's."""
    s.setblocking(False)
    try:
        s._sslobj.shutdown()
    except (ssl.SSLWantReadError, ssl.SSLSyscallError):
        pass
    s.settimeout(20)
    return s


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        text = f.read()
    return sum(int(n) for n in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", text, re.M))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(n) for n in f.read().split()]


def bulk(port, size, master):
    size = int(size)
    c, begin = context({}), time.monotonic()
    s = c.wrap_socket(dial(port))
    until(s, b"\n\n")
    s.sendall(b"SINK\n")
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        s.sendall(block)
    assert rest(end(s)) == b"%d\n" % (size >> 20 << 20)
    s = c.wrap_socket(dial(port))
    until(s, b"\n\n")
    s.sendall(b"SEND %d\n" % size)
    s.recv(1)
    talk = max(children(master))
    before = cpu(talk)
    time.sleep(0.5)  # nobody reads: it must wait, not spin
    spun, held = cpu(talk) - before, memory(talk)
    assert spun < 20, f"{spun} ticks for nothing"
    got = 1
    while (more := piece(s)) != b"":
        got += len(more)
    assert got == size, got
    assert held < 1024, f"{held} KiB"
    print(f"{2 * (size >> 20)} MiB in {time.monotonic() - begin:.1f} s, {held} KiB private")


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def half(port):
    s = context({}).wrap_socket(dial(port))
    until(s, b"\n\n")
    s.sendall(b"BYE\n")
    print(rest(end(s)).decode().strip())


def held(port):
    """a session until ./go is there; ./held says that it has begun."""
    s = context({}).wrap_socket(dial(port))
    until(s, b"\n\n")
    open("held", "w", encoding="ascii").close()
    deadline = time.monotonic() + 20
    while not os.path.exists("go") and time.monotonic() < deadline:
        time.sleep(0.02)
    s.sendall(b"BYE\n")
    rest(end(s))


def cut(port):
    raw = dial(port)
    s = context({}).wrap_socket(raw)
    until(s, b"\n\n")
    s.sendall(b"ECHO\nhello\n")
    until(s, b"hello\n")
    socket.socket(fileno=s.detach()).close()


def garbage(port, text):
    s = dial(port)
    s.sendall(text.encode())
    print(rest(s))


def silent(port):
    s = dial(port)
    begin = time.monotonic()
    rest(s)
    print(f"{time.monotonic() - begin:.1f}")


IDLE = 16  # processes that wait for another session: tls_pool.h


def crowd(port, count, master):
    def descriptors():
        return len(os.listdir(f"/proc/{master}/fd"))

    count, before, clients = int(count), descriptors(), []
    c = context({})
    for _ in range(count):
        s = c.wrap_socket(dial(port, None))
        s.sendall(b"hello\n")
        assert until(s, b"\n") == b"hello\n"
        clients.append(s)
    talks = children(master)
    assert len(talks) == count, len(talks)
    sizes = sorted(memory(pid) for pid in talks)
    fds = max(len(os.listdir(f"/proc/{pid}/fd")) for pid in talks)
    assert descriptors() <= before + count + 3, (descriptors(), before)  # one to each process
    assert sizes[-1] < 1024, sizes[-1]
    assert fds <= 7, fds
    for s in clients:
        s.close()
    deadline = time.monotonic() + 10
    while len(children(master)) > IDLE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(children(master)) <= IDLE, len(children(master))
    assert descriptors() <= before + IDLE, (descriptors(), before)
    print(f"{count} sessions, {sizes[len(sizes) // 2]} KiB private each, {fds} descriptors")


def mail_session(port, c):
    try:
        with socket.create_connection(("127.0.0.1", int(port)), 30) as s:
            until(s, b"\r\n")
            s.sendall(b"STARTTLS\r\n")
            if not until(s, b"\r\n").startswith(b"220"):
                return False
            with c.wrap_socket(s) as t:
                t.sendall(b"NOOP\r\nQUIT\r\n")
                return re.match(rb"250 .*\r\n221 ", rest(t)) is not None
    except OSError:
        return False


def churn(port, count):
    c = context({})
    with ThreadPoolExecutor(16) as at_once:
        went = list(at_once.map(lambda _: mail_session(port, c), range(int(count))))
    print(f"{sum(went)} of {count}")


if __name__ == "__main__":
    word, arguments = sys.argv[1], sys.argv[2:]
    try:
        if word in ("start", "quiet", "wrap"):
            sessions(word, *arguments)
        else:
            {"bulk": bulk, "half": half, "held": held, "cut": cut, "garbage": garbage, "silent": silent,
             "crowd": crowd, "churn": churn}[word](*arguments)
    except ssl.SSLError as e:
        print("SSL error", e.reason)
        sys.exit(1)
