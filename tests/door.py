"""A queue server for tests of the door: door.py PATH WHAT ...

WHAT is said of one message after another, the last of them for ever: "K", "Zlater (#4.3.0)", "Dnever (#5.7.1)", or
"close" (in mid-message), "end" (the process ends when the message is whole), "wrong" (what is no answer),
"full:TEXT" (TEXT at once, when somebody connects, then close). Message N and its envelope, NUL as '|', are the files
got.N and got.N.envelope."""
import os
import socket
import sys

PATH, SAYS = sys.argv[1], sys.argv[2:] or ["K"]


def frame(text):
    return b"%d:%b," % (len(text), text)


def frames(peer):
    """Netstrings, one after another."""
    have = b""
    while True:
        size, colon, rest = have.partition(b":")
        if colon and len(rest) > int(size):
            assert size == b"%d" % int(size) and rest[int(size):int(size) + 1] == b",", size
            yield rest[:int(size)]
            have = rest[int(size) + 1:]
            continue
        more = peer.recv(65536)
        if not more:
            assert not have or "close" in SAYS, have[:40]
            return
        have += more


def serve(peer, number):
    text = b""
    for part in frames(peer):
        say = SAYS[min(number, len(SAYS) - 1)]
        if say == "close":
            return number + 1
        if part == b"A":
            text = b""
        elif part[:1] == b"M":
            text += part[1:]
        else:
            assert part[:1] == b"E", part[:1]
            number += 1
            with open("got.%d" % number, "wb") as to:
                to.write(text)
            with open("got.%d.envelope" % number, "wb") as to:
                to.write(part[1:].replace(b"\0", b"|"))
            text = b""
            if say == "end":
                sys.exit(0)
            if say == "K":
                say = "Kok 1763930000 qp %d" % (4710 + number)
            peer.sendall(b"what?" if say == "wrong" else frame(say.encode()))
    return number


listener = socket.socket(socket.AF_UNIX)
if os.path.exists(PATH):
    os.unlink(PATH)
listener.bind(PATH + ".new")
listener.listen(5)
os.rename(PATH + ".new", PATH)
done = 0
while True:
    client, _ = listener.accept()
    if SAYS[0].startswith("full:"):
        client.sendall(frame(SAYS[0][5:].encode()))
    else:
        done = serve(client, done)
    client.close()
