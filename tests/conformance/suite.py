"""suite.py: the register of cases, what a case works with, and how they are run."""

import concurrent.futures
import itertools
import os
import re
import ssl
import threading
import time

from wire import Closed, Failure, Session, Skip, show

CASES = []
QUIET_S = 0.25     # how long silence is listened to, where nothing else proves that the server waits
CASE_S = 20        # no case takes longer

REFUSED = "5.."    # for good
NOT_DONE = "[45].."

EMPTY_LINE = re.compile(rb"(?<=\n)\r?\n")


class Case:
    def __init__(self, name, rfc, must, run, slow):
        self.name, self.rfc, self.must, self.run, self.slow = name, rfc, must, run, slow


def add(name, rfc, must, run, slow=False):
    if any(c.name == name for c in CASES):
        raise ValueError("two cases are called " + name)
    CASES.append(Case(name, rfc, must, run, slow))


def case(name, rfc, must, slow=False):
    """Registers a function that takes a Test and raises Failure."""
    def register(run):
        add(name, rfc, must, run, slow)
        return run
    return register


def octets(text):
    return text.encode() if isinstance(text, str) else text


def dialogue(name, rfc, must, lines, want, need=(), then=("NOOP", "250")):
    """A case that is a list of commands behind EHLO: all but the last are taken, the last one is answered as
    wanted, and what comes then shows the state that the server is in. %v and %f stand for the two addresses."""
    lines = [lines] if isinstance(lines, (str, bytes)) else list(lines)

    def run(test):
        s = test.session()
        s.need(*need)
        for line in lines[:-1]:
            s.command(test.fill(line), "2..")
        last = s.command(test.fill(lines[-1]), want, must)
        for command, code in [then] if then and not last.is_like("[24]21") else []:
            s.command(test.fill(command), code, "afterwards")
    add(name, rfc, must, run)


class Mailbox:
    """A Maildir of the server. Each file is read once."""

    def __init__(self, folder):
        self.folder, self.read, self.lock = os.path.join(folder, "new"), {}, threading.Lock()

    def look(self, token):
        with self.lock:
            for name in os.listdir(self.folder):
                if name not in self.read:
                    with open(os.path.join(self.folder, name), "rb") as f:
                        self.read[name] = f.read()
            return [text for text in self.read.values() if token in text]

    def wait(self, token, deadline):
        pause = 0.01
        while True:
            found = self.look(token)
            if found or time.monotonic() > deadline:
                return found
            time.sleep(pause)
            pause = min(pause * 2, 0.2)


class Test:
    """One run of one case."""

    numbers = itertools.count(1)

    def __init__(self, target):
        self.target = target
        self.deadline = time.monotonic() + CASE_S
        self.token = b"token-%d-%d-end" % (os.getpid(), next(self.numbers))
        self.sessions = []

    # ---- addresses

    @property
    def valid(self):
        return self.target.valid.encode()

    @property
    def local(self):
        return self.valid.rpartition(b"@")[0]

    @property
    def domain(self):
        return self.valid.rpartition(b"@")[2]

    @property
    def foreign(self):
        return self.target.foreign.encode()

    def fill(self, line):
        for mark, value in ((b"%v", self.valid), (b"%f", self.foreign), (b"%l", self.local), (b"%d", self.domain)):
            line = octets(line).replace(mark, value)
        return line

    # ---- sessions

    def connect(self):
        """Only connected, with TLS on where it is on from the start."""
        s = Session(self.target, self.deadline)
        self.sessions.append(s)
        if self.target.tls == "wrap":
            try:
                s.start_tls()
            except (ssl.SSLError, OSError) as e:
                raise Failure("no TLS handshake: %s" % e) from None
        return s

    def greeted(self):
        s = self.connect()
        s.reply("220")
        return s

    def session(self, tls=None):
        """After EHLO, and after STARTTLS when the suite was told so, or tls says so."""
        s = self.greeted()
        s.ehlo()
        if self.target.tls == "starttls" if tls is None else tls:
            self.secure(s)
        return s

    def secure(self, s):
        """STARTTLS if it is not on already."""
        if s.tls:
            return s
        s.need("STARTTLS")
        s.command("STARTTLS", "220")
        try:
            s.start_tls()
        except (ssl.SSLError, OSError) as e:
            raise Failure("no TLS handshake: %s" % e) from None
        s.ehlo()
        return s

    def secured(self):
        """With TLS if the server has it in any way."""
        s = self.session()
        return self.secure(s) if s.has("STARTTLS") else s

    def helo(self):
        s = self.greeted()
        if self.target.tls == "starttls":
            s.ehlo()
            self.secure(s)
        s.command("HELO conformance.example", "250")
        return s

    # ---- transactions

    def envelope(self, s, sender=b"sender@client.example", parameters=b""):
        s.command(b"MAIL FROM:<" + sender + b">" + parameters, "250")
        s.command(b"RCPT TO:<" + self.valid + b">", "25.")

    def open_text(self, s, *args, **kw):
        """In the text, behind a header and its empty line."""
        self.envelope(s, *args, **kw)
        s.command("DATA", "354")
        s.send(self.head())

    def head(self):
        return b"Subject: " + self.token + b"\r\n\r\n"

    def bodies(self):
        """What the Maildir has of this test, without header. None: nobody can tell."""
        if self.target.mailbox is None:
            return None
        found = self.target.mailbox.wait(self.token, min(self.deadline, time.monotonic() + 10))
        return [EMPTY_LINE.split(text, maxsplit=1)[-1] for text in found]

    def headers(self):
        if self.target.mailbox is None:
            raise Skip("no --maildir: what was stored is not known")
        found = self.target.mailbox.wait(self.token, min(self.deadline, time.monotonic() + 10))
        if len(found) != 1:
            raise Failure("stored %d times" % len(found))
        return EMPTY_LINE.split(found[0], maxsplit=1)[0]

    def stored(self, *bodies):
        """Exactly this was stored, as one of these forms has it."""
        found = self.bodies()
        if found is None:
            return
        if len(found) != 1:
            raise Failure("stored %d times" % len(found))
        if found[0] not in bodies:
            raise Failure("stored %s, sent %s" % (show(found[0], 400), show(bodies[0], 400)))

    def stored_nothing(self):
        """For mail that was not accepted: a later message has arrived, and this one has not."""
        if self.target.mailbox is None:
            return
        before, self.token = self.token, self.token + b"-later"
        s = self.session()
        self.open_text(s)
        s.command(b".", "250")
        self.headers()
        if any(self.token not in text for text in self.target.mailbox.look(before)):
            raise Failure("a message without a reply of 250 was stored")

    def close(self):
        for s in self.sessions:
            s.close()


class Result:
    def __init__(self, case, verdict, why, seconds):
        self.case, self.verdict, self.why, self.seconds = case, verdict, why, seconds


def run_one(case, target):
    began = time.monotonic()
    test = Test(target)
    try:
        case.run(test)
        verdict, why = "passed", ""
    except Skip as e:
        verdict, why = "skipped", str(e)
    except Failure as e:
        verdict, why = "failed", str(e)
    except Exception as e:  # a case may trip over an answer that nobody thought of
        verdict, why = "failed", "%s: %s" % (type(e).__name__, e)
    finally:
        test.close()
    return Result(case, verdict, why, time.monotonic() - began)


def chosen(only=None, slow=False):
    return [c for c in CASES if (slow or not c.slow) and (only is None or re.search(only, c.name))]


def run(cases, target, threads=12):
    """Results in the order of the cases, as soon as they are there."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        begun = [pool.submit(run_one, c, target) for c in cases]
        try:
            for future in begun:
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # whoever has seen enough stops the rest



