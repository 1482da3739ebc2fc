#!/usr/bin/python3
"""A milter made with libmilter (python3-milter), that does what a message asks for and writes down what it hears.

    milter_peer.py plain|quiet|slow SOCKET LOG

What it is to do stands in names: ACTION.connect.example (client's name), ACTION.helo.example, the sender
STAGE-ACTION@any, the recipient ACTION@rcpt.example; ACTION is reject, tempfail, discard, accept, code, gone or
continue. At the end of a message it obeys its X-Do fields, from top to bottom:

    X-Do: add NAME VALUE | ins INDEX NAME VALUE | chg INDEX NAME VALUE | del INDEX NAME | body TEXT | large N
          rcpt+ A | rcpt+ A PARAMETERS | rcpt- A | from A | quarantine WORDS | progress SECONDS TIMES | STAGE ACTION

LOG has a line of JSON for each thing it hears. quiet: it answers nothing before the end of a message, wants
values with their first blank, other macros, no HELO and no EOH. slow: it sleeps at MAIL."""

import json
import sys
import time

import Milter

MODE, SOCKET, LOG = sys.argv[1:4]
MACROS = ("j", "_", "i", "{daemon_name}", "{client_addr}", "{client_name}", "{client_port}", "{tls_version}",
          "{cipher}", "{cipher_bits}", "{auth_authen}", "{auth_type}", "{mail_addr}", "{mail_host}",
          "{rcpt_addr}", "{rcpt_host}", "v", "b")
ANSWERS = {"reject": Milter.REJECT, "tempfail": Milter.TEMPFAIL, "discard": Milter.DISCARD,
           "accept": Milter.ACCEPT, "skip": Milter.SKIP, "continue": Milter.CONTINUE}


class Peer(Milter.Base):
    def note(self, what, *seen):
        macros = {m.strip("{}"): self.getsymval(m) for m in MACROS if self.getsymval(m) is not None}
        with open(LOG, "a") as f:
            f.write(json.dumps([what, list(seen), macros]) + "\n")

    def act(self, action):
        if action == "code":
            self.setreply("554", "5.7.7", "100%% no", "thanks")
            return Milter.REJECT
        if action == "gone":
            self.setreply("421", "4.3.2", "go away")
            return Milter.TEMPFAIL
        return ANSWERS.get(action, Milter.CONTINUE)

    def at(self, stage):
        wanted, _, action = self.sender.partition("@")[0].partition("-")
        return self.act(action if wanted == stage else "continue")

    def negotiate(self, opts):
        if MODE == "quiet":
            self._ctx.setsymlist(Milter.M_CONNECT, "{client_port} j")
            self._ctx.setsymlist(Milter.M_ENVFROM, "{daemon_name} {mail_host}")
        return super().negotiate(opts)

    def connect(self, name, family, address):
        self.note("connect", name, family, list(address) if isinstance(address, tuple) else address)
        return self.act(name.split(".")[0])

    def hello(self, name):
        self.note("helo", name)
        return self.act(name.split(".")[0])

    def envfrom(self, sender, *parameters):
        self.sender = sender.strip("<>")
        self.fields, self.bytes = [], 0
        self.note("mail", sender, *parameters)
        if MODE == "slow":
            time.sleep(60)
        return self.at("mail")

    def envrcpt(self, recipient, *parameters):
        self.note("rcpt", recipient, *parameters)
        return self.act(recipient.strip("<>").partition("@")[0])

    def data(self):
        self.note("data")
        return self.at("data")

    def header(self, name, value):
        self.fields.append((name, value))
        self.note("header", name, value)
        return self.at("header")

    def eoh(self):
        self.note("eoh")
        return self.at("eoh")

    def body(self, chunk):
        self.bytes += len(chunk)
        self.note("body", chunk[:200].decode("latin-1"), len(chunk), chunk[-20:].decode("latin-1"))
        return self.at("body")

    def do(self, command):
        words = command.split(" ", 3)
        verb = words[0]
        if verb == "add":
            self.addheader(words[1], command.split(" ", 2)[2].replace("|", "\n"))
        elif verb == "ins":
            self.addheader(words[2], words[3].replace("|", "\n"), int(words[1]))
        elif verb == "chg":
            self.chgheader(words[2], int(words[1]), words[3])
        elif verb == "del":
            self.chgheader(words[2], int(words[1]), "")
        elif verb == "body":
            self.replacebody(command.split(" ", 1)[1].replace("|", "\r\n"))
        elif verb == "large":
            self.replacebody("0123456789abcde\r\n" * (int(words[1]) // 17))
        elif verb == "rcpt+":
            self.addrcpt(words[1], *words[2:3])
        elif verb == "rcpt-":
            self.delrcpt(words[1])
        elif verb == "from":
            self.chgfrom(words[1])
        elif verb == "quarantine":
            self.quarantine(command.split(" ", 1)[1])
        elif verb == "progress":
            for _ in range(int(words[2])):
                time.sleep(float(words[1]))
                self.progress()

    def eom(self):
        self.note("eom", self.bytes)
        for name, value in self.fields:
            if name == "X-Do":
                self.do(value.strip())
        return self.at("eom")

    def abort(self):
        self.note("abort")
        return Milter.CONTINUE

    def close(self):
        self.note("close")
        return Milter.CONTINUE


@Milter.header_leading_space
class Quiet(Peer):
    @Milter.nocallback
    def hello(self, name):
        self.note("helo", name)

    @Milter.nocallback
    def eoh(self):
        self.note("eoh")

    @Milter.noreply
    def connect(self, name, family, address):
        self.note("connect", name, family)
        return Milter.CONTINUE

    @Milter.noreply
    def envfrom(self, sender, *parameters):
        super().envfrom(sender, *parameters)
        return Milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, recipient, *parameters):
        self.note("rcpt", recipient)
        return Milter.CONTINUE

    @Milter.noreply
    def data(self):
        self.note("data")
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        super().header(name, value)
        return Milter.CONTINUE

    @Milter.noreply
    def body(self, chunk):
        super().body(chunk)
        return Milter.CONTINUE


Milter.factory = Quiet if MODE == "quiet" else Peer
Milter.set_flags(Milter.ADDHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGHDRS |
                 Milter.QUARANTINE | Milter.CHGFROM | Milter.ADDRCPT_PAR | Milter.SETSYMLIST)
Milter.runmilter("peer", SOCKET, 600)
