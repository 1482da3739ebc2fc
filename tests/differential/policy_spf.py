#!/usr/bin/env python3
"""policy-spf against python3-spf, as TAP: the result and the explanation of generated zones.

Both ask the same name server (spf_server.py), each over its own resolver library. Same seed, same cases, every time.
Where they may differ, and why RFC 7208 is on our side, stands in other_reading and JUDGED. BIN says where our programs
are; SPF_CASES, SPF_SEED and SPF_SHOW other numbers of checks, other zones, and more of what differs."""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts it, whatever python3 this is
import tap
SERVER = os.path.join(HERE, "../spf_server.py")
OURS = os.path.join(os.path.abspath(os.environ.get("BIN", os.path.join(HERE, "../../build/bin"))), "policy-spf")
CASES = int(os.environ.get("SPF_CASES", "500" if "sanitize" in OURS else "4000"))
SEED = int(os.environ.get("SPF_SEED", "20261124"))
NO_WORDS = "SPF fail - not authorized"  # what python3-spf says when the domain says nothing


class Case:
    """A zone of names of its own, and a client with an address of its own."""

    def __init__(self, number, rnd):
        self.rnd, self.n = rnd, number
        self.records = []
        self.six = rnd.random() < 0.25
        v4 = "198.%d.%d.%d" % (18 + (number >> 16), number >> 8 & 255, number & 255)
        self.ip = "2001:db8:%x::%x" % (number, rnd.randrange(1, 65536)) if self.six else v4
        self.domains = ["d%d.c%d.test" % (i, number) for i in range(5)]
        self.hosts = ["h%d.d0.c%d.test" % (i, number) for i in range(4)]
        self.reverse = self.arpa()
        self.local = rnd.choice(["joe", "a-b+c.d", "x.y.z", "strong-bad", "UPPER", "j=1~2"])
        self.helo = rnd.choice([self.hosts[0], self.domains[1], "mail." + self.domains[0], "pc", "[192.0.2.1]"])
        self.sender = "" if rnd.random() < 0.1 else self.local + "@" + self.domains[0]
        self.fill()

    def arpa(self):
        if not self.six:
            return ".".join(reversed(self.ip.split("."))) + ".in-addr.arpa"
        return ".".join(reversed("".join(self.groups()))) + ".ip6.arpa"

    def groups(self):
        left, right = self.ip.split("::")
        have = left.split(":") + [None] * (8 - left.count(":") - 1 - right.count(":") - 1) + right.split(":")
        return ["%04x" % int(g, 16) if g else "0000" for g in have]

    def add(self, name, kind, data):
        self.records.append("%s\t%s\t%s" % (name, kind, data))

    def near(self, six):
        """The client's address, or one that shares a prefix with it, or another."""
        r, n = self.rnd, self.n
        if six:
            return r.choice([self.ip] if self.six and r.random() < 0.4 else
                            ["2001:db8:%x::%x" % (n, r.randrange(65536)), "2001:db8:ffff::1", "2001:db8:%x::" % (n ^ 1)])
        return r.choice([self.ip] if not self.six and r.random() < 0.4 else
                        ["198.%d.%d.%d" % (18 + (n >> 16), n >> 8 & 255, (n & 255) ^ r.choice([1, 4, 128])), "192.0.2.1"])

    def fill(self):
        r = self.rnd
        for name in self.hosts + [r.choice(self.domains)]:
            self.addresses(name)
        for name in r.sample(self.domains, 2):
            for _ in range(r.choice([1, 2, 3, 3, 11])):
                self.add(name, "MX", "%d %s" % (r.randrange(50), r.choice(self.hosts + self.domains)))
        for _ in range(r.choice([0, 1, 1, 2, 12])):
            self.add(self.reverse, "PTR", r.choice(self.hosts + self.domains))
        for name in self.domains:
            self.policy(name)
        for name in ["e0." + self.domains[0], "e1." + self.domains[0]]:
            if r.random() < 0.8:
                self.add(name, "TXT", self.words())

    def addresses(self, name):
        r = self.rnd
        kind = r.random()
        if kind < 0.05:
            self.add(name, "SERVFAIL", "")
        elif kind < 0.15 and name in self.hosts:  # others have records beside it
            self.add(name, "CNAME", r.choice(self.hosts))
        elif kind < 0.9:
            for _ in range(r.choice([1, 1, 2, 5])):
                self.add(name, "A", self.near(False))
            if r.random() < 0.5:
                self.add(name, "AAAA", self.near(True))

    def words(self):
        r = self.rnd
        return " ".join(r.choice(["Not", "you", "%{s}", "%{L}", "%{i}", "%{c}", "%{d2}", "%{h}", "%%", "%_%-", "%{S1r-}",
                                  "%{o1r}", "%{ir}", "%{v}", "http://x.test/?%{S}"] + ["%{x}"] * (r.random() < 0.02))
                        for _ in range(r.randrange(1, 8)))

    def policy(self, name):
        r = self.rnd
        kind = r.random()
        if kind < 0.04:
            return
        if kind < 0.06:
            self.add(name, "SERVFAIL", "")
            return
        terms = [self.term() for _ in range(r.choice([0, 1, 2, 3, 4, 5, 6, 12]))]
        if r.random() < 0.7:
            terms.append(r.choice("-~?+") + "all")
        elif r.random() < 0.6:
            terms.append("redirect=" + self.target())
        if r.random() < 0.4:
            terms.insert(r.randrange(len(terms) + 1), "exp=" + r.choice(["e0.%{o}", "e1." + self.domains[0], "e0.%{d}"]))
        if r.random() < 0.1:
            terms.insert(r.randrange(len(terms) + 1), self.nonsense())
        version = r.choice(["v=spf1"] * 30 + ["V=sPf1", "v=spf10", "v=spf2.0/pra"])
        self.add(name, "TXT", r.choice([" ", " ", "  "]).join([version] + terms) + r.choice(["", "", " "]))
        if r.random() < 0.1:
            self.add(name, "TXT", "another text")
        if r.random() < 0.02:
            self.add(name, "TXT", "v=spf1 -all")

    def target(self):
        r = self.rnd
        return r.choice(self.domains + self.hosts[:1] + ["%{d}", "d1.%{d2}", "d2.%{o2}", "no.c%d.test" % self.n, "h1.%{o}",
                                                       "%{h}", "d3.%{dr}", "%{l1r-}." + self.domains[0]])

    def term(self):
        r = self.rnd
        kind = r.choice(["a", "a", "mx", "include", "include", "ip4", "ip6", "exists", "ptr", "all"]
                        if r.random() < 0.9 else ["unknown"])
        if kind == "unknown":
            return r.choice(["x-y=z", "moo=%{s}", "op=auth"])
        sign = r.choice(["", "", "", "+", "-", "~", "?"])
        if kind in ("a", "mx"):
            own = ":" + self.target() if r.random() < 0.7 else ""
            return sign + kind + own + r.choice(["", "", "", "/24", "/30", "//64", "/29//48", "/0", "//0", "/32//128"])
        if kind == "ip4":
            return sign + "ip4:" + self.near(False) + r.choice(["", "/32", "/30", "/24", "/8"])
        if kind == "ip6":
            return sign + "ip6:" + self.near(True) + r.choice(["", "/128", "/64", "/48"])
        if kind == "all":
            return sign + "all" if r.random() < 0.1 else sign + "ip4:203.0.113.0/24"
        if kind == "ptr":
            return sign + "ptr" + (":" + self.target() if r.random() < 0.5 else "")
        if kind == "exists":
            return sign + "exists:" + r.choice([self.target(), "%{l}.%{d}", "%{i}.x." + self.domains[1], "%{ir}.%{v}.%{d}",
                                                "%{p}", "h1.%{p2}", "%{p}." + self.domains[0]])
        return sign + "include:" + self.target()

    def nonsense(self):
        """Mostly what the grammar forbids."""
        return self.rnd.choice(["foo", "a:", "a/33", "a//129", "mx:x", "ip4:1.2.3", "ip4:1.2.3.4/33", "ip4:01.2.3.4",
                                "ip6:1::2::3", "ip6::/0", "include", "exists:", "all:x.y", "all/8", "ptr/8", "-x=y", "=x", "1x=y",
                                "a:%{x}.y.z", "a:%{d", "a:%y.z", "exp=", "redirect=", "redirect=x.y redirect=x.y", "x=%",
                                "exists:%{d0}.x", "exists:%{c}.x.y", "a:x.1", "a:x.-y", "a:x.y-", "a:x_y.zz", "a:x.y_z",
                                "a/01", "a/24/64", "a:x.y/", "ip4:1.2.3.4/", "ip6:1.2.3.4", "A:h0.%{D}", "\\x80=x",
                                "a:x\\x09y.z", "a:x..y.zz", "include:a..b.zz", "exists:%{l}%{l}..%{d}", "ip4:1.2.3.4/08",
                                "redirect:x.y", "a=x.y", "exp:x.y", "mx.x", "all.", "a:%{d}.", "a:x.y.", "a:x.y..", "a:.x.y"])


class Verdict(tuple):
    """Result and explanation, in small letters: %{i} of IPv6 has letters of any case. why: what python3-spf says of an
    error."""

    why = ""

    def __str__(self):
        return "%s %r %s" % (self[0], self[1], self.why)


def unescape(value):
    out, i = "", 0
    while i < len(value):
        if value[i] == "%":
            out, i = out + chr(int(value[i + 1:i + 3], 16)), i + 3
        else:
            out, i = out + value[i], i + 1
    return out


def ours(cases, port):
    def escape(value):
        return value.replace("%", "%25")
    asked = "".join("stage=mail\nclient_address=%s\nhelo=%s\nsender=%s\nrelay=0\n\n" % (c.ip, escape(c.helo), escape(c.sender))
                    for c in cases)
    env = dict(os.environ, DNSCACHEIP="127.0.0.1:%d" % port)
    p = subprocess.run([OURS, "--private", "--receiver", "mx.test"], input=asked.encode(), stdout=subprocess.PIPE, env=env,
                       timeout=800, check=True)
    verdicts = []
    for block in p.stdout.decode().split("\n\n")[:-1]:
        result = text = ""
        for line in block.split("\n"):
            name, _, value = line.partition("=")
            if name == "tag" and value.startswith("spf="):
                result = value[4:]
            elif name == "text":
                text = unescape(value)
        words = text.partition(" explains: ")[2]
        verdicts.append(Verdict((result, words.lower() if result == "fail" else "")))
    if len(verdicts) != len(cases):
        raise AssertionError("%d answers to %d requests" % (len(verdicts), len(cases)))
    return verdicts


def theirs(case, query=None):
    import spf
    try:
        q = (query or spf.query)(case.ip, case.sender, case.helo, receiver="mx.test", timeout=20, querytime=60)
        result, _, words = q.check()
    except Exception as e:
        return Verdict(("raised", "%s: %s" % (type(e).__name__, e)))
    v = Verdict((result, words.lower() if result == "fail" and words != NO_WORDS else ""))
    v.why = words if "error" in result else ""
    return v


def other_reading():
    """python3-spf with our reading where RFC 7208 leaves one:
    - the client's names are not held against the domain: a failure for one of them skips it (section 5.5), and their
      empty answers count for nobody, nor does that there are none where only a macro asks (the domain has no say in
      them: section 4.6.4 excuses it from their number);
    - an mx asks for its names one by one, in the order of the answer, and stops at a match (section 5.4);
    - a question that is answered by an alias is one question (section 4.6.4)."""
    import spf

    class Query(spf.query):
        def addresses_of(self, name):
            try:
                return self.dns_a(name, self.A)
            except spf.TempError:
                return []

        def uncounted(self, f):
            before, self.void_lookups = self.void_lookups, -1000
            try:
                return f()
            finally:
                self.void_lookups = before

        def validated_ptrs(self):
            try:
                names = self.dns_ptr(self.i)
            except spf.TempError:
                return []
            return self.uncounted(lambda: [p for p in names[:10] if self.cidrmatch(self.addresses_of(p), self.cidrmax)])

        def getp(self):
            return self.uncounted(super().getp)

        def dns_mx(self, domainname):
            names = self.dns(domainname, "MX")
            if len(names) > 10:
                raise spf.PermError("More than 10 MX records returned")
            return (self.dns_a(name, self.A) for _, name in names)

        def cidrmatch(self, ipaddrs, n):
            if isinstance(ipaddrs, list):
                return super().cidrmatch(ipaddrs, n)
            return any(super(Query, self).cidrmatch(one, n) for one in ipaddrs)

        def dns(self, name, qtype, cnames=None, ignore_void=False):
            return super().dns(name, qtype, cnames, ignore_void or cnames is not None)
    return Query


def has(case, what):
    return any(what in r for r in case.records)


JUDGED = [
    ("a macro for 0 parts is an error: section 7.3", lambda c, a, b: a[0] == "permerror" and has(c, "%{d0}")),
    ("a control byte is an error: section 4.6.1", lambda c, a, b: a[0] == "permerror" and has(c, "\\x09")),
    ("a domain that includes itself does so only when that is reached: section 5.2",
     lambda c, a, b: "trivial recursion" in b.why),
    ("unknown modifiers may come more than once: section 6",
     lambda c, a, b: "MUST appear at most once" in b.why and "redirect" not in b.why and "exp" not in b.why),
    ("an explanation may end in \"%%\": section 7.1",
     lambda c, a, b: a[0] == "fail" and a[1].endswith("%") and b == ("fail", "")),
]


def judge(case, mine, other):
    free = theirs(case, other_reading())
    if mine == free:
        return "the client's names, mx names one by one, aliases: sections 4.6.4, 5.4, 5.5"
    for why, fits in JUDGED:
        if fits(case, mine, other) or fits(case, mine, free):
            return why
    return None


def fail_as_told():
    """python3-dns takes an answer with SERVFAIL for an empty one."""
    import DNS
    req = DNS.DnsRequest.req

    def careful(self, *args, **kwargs):
        r = req(self, *args, **kwargs)
        if r.header["rcode"] not in (0, 3):
            raise DNS.DNSError("rcode %d" % r.header["rcode"])
        return r
    DNS.DnsRequest.req = careful


def zones(port, cases):
    """generated zones: the same result, the same explanation"""
    mine = ours(cases, port)
    with ThreadPoolExecutor(4) as pool:
        other = list(pool.map(theirs, cases))
    counts, judged, unknown = {}, {}, []
    for case, a, b in zip(cases, mine, other):
        counts[a[0]] = counts.get(a[0], 0) + 1
        if a == b:
            continue
        why = judge(case, a, b)
        if why is None:
            unknown.append("case %d, %s from %s, HELO %s\n  ours:        %s\n  python3-spf: %s\n  %s" %
                           (case.n, case.sender or "<>", case.ip, case.helo, a, b, "\n  ".join(case.records)))
        else:
            judged[why] = judged.get(why, 0) + 1
    if unknown:
        shown = unknown[:int(os.environ.get("SPF_SHOW", "1"))]
        raise AssertionError("%d of %d differ; the first:\n%s" % (len(unknown), len(cases), "\n".join(shown)))
    if set(counts) != {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}:
        raise AssertionError("not all results came up: %r" % counts)
    return "%d checks: %s; %s" % (len(cases), ", ".join("%d %s" % (counts[k], k) for k in sorted(counts)),
                                  "; ".join("%d judged: %s" % (n, why) for why, n in judged.items()) or "no difference")


def main():
    try:
        import DNS
        import spf
    except ImportError:
        return tap.skip("the peer is missing: apt install python3-spf python3-dns")
    if spf.DNSLookup is not spf.DNSLookup_pydns:
        return tap.skip("python3-spf asks by another library than python3-dns")
    rnd = random.Random(SEED)
    cases = [Case(n, rnd) for n in range(CASES)]
    with tap.folder() as directory:
        server = subprocess.Popen([sys.executable, os.path.abspath(SERVER)], cwd=directory, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        try:
            server.stdin.write("\n".join(r for c in cases for r in c.records).encode("latin-1"))
            server.stdin.close()
            port = int(server.stdout.readline())
            fail_as_told()
            DNS.defaults["server"], DNS.defaults["port"] = ["127.0.0.1"], port
            return tap.run([zones], port, cases)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
