"""Other protocols on the wrong port: no word of theirs may be taken for a command (RFC 5321 section 7.8, and what
was learnt from cross-protocol attacks, CVE-2021-3618)."""

from suite import Failure, case
from wire import Closed

MAIL = b"EHLO c.example\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<%v>\r\n"


def opening(name, must, octets):
    @case("foreign." + name, "5321 7.8", must)
    def _(test):
        s = test.greeted()
        s.send(test.fill(octets))
        s.send(b"\r\nQUIT\r\n")
        try:
            for reply in s.rest():
                if reply.is_like("25.|354"):
                    raise Failure("obeyed: %s" % reply)
        except Closed:
            pass


HEADERS = (b"Host: mx.example.org:25\r\nContent-Type: text/plain\r\nContent-Length: 200\r\nUser-Agent: x\r\n"
           b"Accept: */*\r\nReferer: http://a.example/\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n")
opening("http-get", "A GET gets no command obeyed.", b"GET / HTTP/1.1\r\n" + HEADERS + MAIL)
opening("http-post", "Commands in the body of a POST are not obeyed.", b"POST / HTTP/1.1\r\n" + HEADERS + MAIL)
opening("http-put", "Commands in the body of a PUT are not obeyed.", b"PUT /x HTTP/1.0\r\n" + HEADERS + MAIL)
opening("http-connect", "CONNECT gets no command obeyed.", b"CONNECT mx.example.org:25 HTTP/1.1\r\n" + HEADERS + MAIL)
opening("http-options", "OPTIONS gets no command obeyed.", b"OPTIONS * HTTP/1.1\r\n" + HEADERS + MAIL)


def no_crash(name, must, octets):
    @case("foreign." + name, "5321 7.8", must)
    def _(test):
        s = test.connect()
        s.reply("220")
        s.send(octets)
        s.send(b"\r\nQUIT\r\n")
        for reply in s.rest():
            if reply.is_like("25.|354"):
                raise Failure("obeyed: %s" % reply)
        test.session()


no_crash("tls", "A TLS handshake is no command.", bytes.fromhex("16030100c8010000c40303") + bytes(range(200)))
no_crash("ssh", "An SSH client's words are no command.", b"SSH-2.0-OpenSSH_9.6\r\n")
no_crash("socks", "A SOCKS handshake is no command.", b"\x05\x01\x00")
no_crash("proxy-v1", "A PROXY header that nobody asked for is no command.", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n")
no_crash("proxy-v2", "A PROXY header that nobody asked for is no command.",
         b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x19")
no_crash("imap", "IMAP is no command.", b"a1 LOGIN user password\r\na2 SELECT inbox\r\n")
no_crash("pop3", "POP3 is no command.", b"USER user\r\nPASS password\r\n")
no_crash("zeros", "NULs are no command.", b"\0" * 600)
no_crash("all-octets", "Octets of all kinds are no command.", bytes(range(256)) * 3)


@case("foreign.http-in-session", "5321 4.2.4", "GET inside a session is a command that is not known.")
def _(test):
    s = test.session()
    s.command("GET / HTTP/1.1", "5..|[24]21")
