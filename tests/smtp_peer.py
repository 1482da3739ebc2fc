"""smtp_peer.py STEP...: a server that does for each connection, one after another, what the steps say.

Prints its port. What it reads is added to the file "got". Backslashes in a step are as in Python.
  >TEXT   says TEXT and CR LF        =TEXT  says TEXT as it is      ~TEXT  says it a byte at a time, slowly
  <TEXT   reads until TEXT has come  .      waits a moment          !      breaks the connection
  |       the end, but the next connection goes on behind it
  *TEXT   says TEXT and CR LF as long as somebody listens
Behind the last step it reads until the client closes."""
import contextlib
import socket
import struct
import sys
import time

WAIT_S, DRIP_S, PAUSE_S = 20, 0.1, 0.3


class Session:
    def __init__(self, sock):
        self.sock, self.unread = sock, b""
        sock.settimeout(WAIT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self):
        data = self.sock.recv(65536)
        with open("got", "ab") as f:
            f.write(data)
        self.unread += data
        return data

    def step(self, step):
        kind, text = step[0], step[1:].encode("latin-1").decode("unicode_escape").encode("latin-1")
        if kind == ">":
            self.sock.sendall(text + b"\r\n")
        elif kind == "=":
            self.sock.sendall(text)
        elif kind == "~":
            for byte in text:
                self.sock.sendall(bytes([byte]))
                time.sleep(DRIP_S)
        elif kind == "<":
            while text not in self.unread:
                if not self.receive():
                    raise ConnectionError
            self.unread = self.unread.partition(text)[2]
        elif kind == ".":
            time.sleep(PAUSE_S)
        elif kind == "*":
            while True:
                self.sock.sendall(text + b"\r\n")
        elif kind == "!":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionError


def serve(listener, steps):
    sock, _ = listener.accept()
    with sock, contextlib.suppress(OSError):
        session = Session(sock)
        for step in steps:
            session.step(step)
        while session.receive():
            session.unread = b""


def main():
    scripts = [[]]
    for step in sys.argv[1:]:
        if step == "|":
            scripts.append([])
        else:
            scripts[-1].append(step)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        for i in range(1000):
            serve(listener, scripts[min(i, len(scripts) - 1)])


if __name__ == "__main__":
    main()
