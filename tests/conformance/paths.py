"""Grammar of paths and parameters: RFC 5321 sections 4.1.1.11, 4.1.2, 4.1.3, 4.5.1 and 4.5.3.1."""

from suite import NOT_DONE, REFUSED, dialogue, octets

LONG_DOMAIN = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


def taken(name, path, must="It is a path of the grammar."):
    dialogue("sender." + name, "5321 4.1.2", must, b"MAIL FROM:<" + octets(path) + b">", "250", then=("RCPT TO:<%v>", "25."))


def not_taken(name, line, must="It is none of the grammar's paths: no transaction begins."):
    dialogue("sender." + name, "5321 4.1.2", must, line, REFUSED, then=("RCPT TO:<%v>", "503"))


taken("null", "", "The null reverse-path is taken (4.5.5).")
taken("plain", "a@client.example")
taken("dots", "a.b.c@client.example")
taken("digits", "123@client.example")
taken("atext", "!#$%&'*+-/=?^_`{|}~@client.example")
taken("plus", "a+b=c@client.example")
taken("quoted", '"a"@client.example')
taken("quoted-blank", '"a b"@client.example')
taken("quoted-at", '"a@b"@client.example')
taken("quoted-greater", '"a>b"@client.example', "> in a quoted string does not end the path.")
taken("quoted-less", '"<a"@client.example')
taken("quoted-colon", '"a:b,c;d"@client.example')
taken("quoted-pair", '"a\\"b"@client.example')
taken("quoted-backslash", '"a\\\\"@client.example')
taken("quoted-dot", '"a..b."@client.example')
taken("quoted-pair-plain", '"a\\bc"@client.example')
taken("literal4", "a@[192.0.2.1]")
taken("literal6", "a@[IPv6:2001:db8::1]")
taken("literal6-full", "a@[IPv6:2001:db8:0:0:0:0:0:1]")
taken("literal6-mapped", "a@[IPv6:::ffff:192.0.2.1]")
taken("route", "@a.example:b@client.example", "A source route is taken, and ignored.")
taken("route-two", "@a.example,@b.example:c@client.example", "A source route is taken, and ignored.")
taken("upper-case", "A@CLIENT.EXAMPLE")
taken("hyphens", "a@mail-2.client-x.example")
taken("digit-first", "a@3com.example")
taken("idna", "a@xn--mnchen-3ya.example")
taken("single-label", "a@localhost")
taken("local-64", "a" * 64 + "@client.example", "A local part of 64 octets is handled (4.5.3.1.1).")
taken("local-65", "a" * 65 + "@client.example", "Where it can be, a longer local part is not refused (4.5.3.1).")
taken("domain-253", "a@" + LONG_DOMAIN, "A domain of 253 octets is handled (4.5.3.1.2).")
taken("bounce-address", "list-bounces+user=elsewhere.example@client.example")

not_taken("no-argument", "MAIL")
not_taken("no-path", "MAIL FROM:")
not_taken("no-from", "MAIL <a@client.example>", "FROM: belongs to MAIL.")
not_taken("to", "MAIL TO:<a@client.example>", "TO: does not belong to MAIL.")
not_taken("no-colon", "MAIL FROM <a@client.example>", "The colon belongs to FROM.")
not_taken("unclosed", "MAIL FROM:<a@client.example")
not_taken("text-behind", "MAIL FROM:<a@client.example>x")
not_taken("parameter-behind", "MAIL FROM:<a@client.example>SIZE=1")
not_taken("two-paths", "MAIL FROM:<a@client.example><b@client.example>")
not_taken("two-at", "MAIL FROM:<a@b@client.example>")
not_taken("no-domain", "MAIL FROM:<a@>")
not_taken("no-local", "MAIL FROM:<@client.example>")
not_taken("only-at", "MAIL FROM:<@>")
not_taken("blank", "MAIL FROM:<a b@client.example>")
not_taken("unclosed-quote", 'MAIL FROM:<"a@client.example>')
not_taken("open-less", "MAIL FROM:<<a@client.example>")
not_taken("nul", b"MAIL FROM:<a\0b@client.example>", "A NUL is no part of a path (and ends none).")
not_taken("nul-end", b"MAIL FROM:<a@client.example>\0", "A NUL is no part of a command.")
not_taken("control", b"MAIL FROM:<a\x01b@client.example>", "Control octets are no part of a path.")
not_taken("tab", b"MAIL FROM:<a\tb@client.example>", "Control octets are no part of a path.")
not_taken("quoted-control", b'MAIL FROM:<"a\x07b"@client.example>', "Control octets are no part of a quoted string.")
not_taken("del", b"MAIL FROM:<a\x7fb@client.example>", "DEL is no part of a path.")
not_taken("8-bit", b"MAIL FROM:<caf\xe9@client.example>", "Octets above 127 need SMTPUTF8 (RFC 6531).")
not_taken("utf-8", "MAIL FROM:<café@client.example>", "Octets above 127 need SMTPUTF8 (RFC 6531).")
not_taken("utf-8-domain", "MAIL FROM:<a@café.example>", "Octets above 127 need SMTPUTF8 (RFC 6531).")
not_taken("unclosed-literal", "MAIL FROM:<a@[192.0.2.1>")
dialogue("sender.over-long", "5321 4.5.3.1.3", "A path of 1,000 octets is taken or refused, with a reply of the right form.",
         b"MAIL FROM:<" + b"a" * 980 + b"@client.example>", "250|5..")
dialogue("sender.over-long-domain", "5321 4.5.3.1.2", "A domain of 1,000 octets is taken or refused, likewise.",
         b"MAIL FROM:<a@" + b"a." * 490 + b"example>", "250|5..")

MAIL = "MAIL FROM:<a@client.example>"


def recipient(name, line, want, must):
    dialogue("recipient." + name, "5321 4.1.2", must, [MAIL, line], want, then=("DATA", "503|554" if want[0] == "5" else "354"))


recipient("plain", "RCPT TO:<%v>", "25.", "An address of the server is taken.")
recipient("postmaster", "RCPT TO:<Postmaster>", "25.", "<Postmaster> without domain is taken (4.5.1).")
recipient("postmaster-lower", "RCPT TO:<postmaster>", "25.", "Postmaster has no case (4.5.1).")
recipient("postmaster-upper", "RCPT TO:<POSTMASTER>", "25.", "Postmaster has no case (4.5.1).")
recipient("postmaster-domain", "RCPT TO:<postmaster@%d>", "25.", "postmaster of a domain of the server is taken (4.5.1).")
recipient("route", "RCPT TO:<@a.example:%v>", "25.", "A source route is taken, and ignored (appendix C).")
recipient("quoted", 'RCPT TO:<"%l"@%d>', "25.", "A quoted local part means the same as one without quotes.")
recipient("null", "RCPT TO:<>", REFUSED, "The null path is no forward-path.")
recipient("no-argument", "RCPT", REFUSED, "RCPT needs a path.")
recipient("no-path", "RCPT TO:", REFUSED, "RCPT needs a path.")
recipient("from", "RCPT FROM:<%v>", REFUSED, "FROM: does not belong to RCPT.")
recipient("no-to", "RCPT <%v>", REFUSED, "TO: belongs to RCPT.")
recipient("no-colon", "RCPT TO <%v>", REFUSED, "The colon belongs to TO.")
recipient("unclosed", "RCPT TO:<%v", REFUSED, "A path is closed.")
recipient("text-behind", "RCPT TO:<%v>x", REFUSED, "What follows a path is a blank.")
recipient("no-domain", "RCPT TO:<user@>", REFUSED, "A domain has at least one label.")
recipient("no-local", "RCPT TO:<@%d>", REFUSED, "There is a local part.")
recipient("blank", "RCPT TO:<a b@%d>", REFUSED, "A blank needs quotes.")
recipient("unclosed-quote", 'RCPT TO:<"%l@%d>', REFUSED, "A quoted string is closed.")
recipient("open-route", "RCPT TO:<@a.example %v>", REFUSED, "A source route ends in a colon.")
recipient("nul", b"RCPT TO:<%l\0@%d>", REFUSED, "A NUL is no part of a path.")
recipient("control", b"RCPT TO:<%l\x01@%d>", REFUSED, "Control octets are no part of a path.")
recipient("8-bit", b"RCPT TO:<caf\xe9@%d>", REFUSED, "Octets above 127 need SMTPUTF8 (RFC 6531).")
dialogue("recipient.upper-case-domain", "5321 2.4", "Domains have no case.",
         [MAIL, "RCPT TO:<%l@EXAMPLE.ORG>"], "25.|5..")
dialogue("recipient.over-long", "5321 4.5.3.1.3", "A path of 1,000 octets gets a reply of the right form.",
         [MAIL, b"RCPT TO:<" + b"a" * 980 + b"@elsewhere.example>"], NOT_DONE)
dialogue("recipient.escape", "5321 4.2", "A control octet does not come back in a reply.",
         [MAIL, b"RCPT TO:<\x1b[31m@elsewhere.example>"], NOT_DONE)

dialogue("parameter.unknown", "5321 4.1.1.11", "A parameter that is not known is refused with 555.", MAIL + " XYZZY=1", "555|50[14]",
         then=("RCPT TO:<%v>", "503"))
dialogue("parameter.unknown-without-value", "5321 4.1.1.11", "A parameter that is not known is refused with 555.",
         MAIL + " XYZZY", "555|50[14]", then=("RCPT TO:<%v>", "503"))
dialogue("parameter.unknown-rcpt", "5321 4.1.1.11", "A parameter that is not known is refused with 555.",
         [MAIL, "RCPT TO:<%v> XYZZY=1"], "555|50[14]", then=("DATA", "503|554"))
dialogue("parameter.unknown-rcpt-without-value", "5321 4.1.1.11", "A parameter that is not known is refused with 555.",
         [MAIL, "RCPT TO:<%v> XYZZY"], "555|50[14]", then=("DATA", "503|554"))
dialogue("parameter.no-name", "5321 4.1.2", "A parameter has a name.", MAIL + " =1", REFUSED, then=("RCPT TO:<%v>", "503"))
dialogue("parameter.nul", "5321 4.1.2", "A NUL is no part of a parameter.", b"MAIL FROM:<a@client.example> BODY=7BIT\0", REFUSED,
         then=("RCPT TO:<%v>", "503"))
dialogue("parameter.control", "5321 4.1.2", "A control octet is no part of a parameter.",
         b"MAIL FROM:<a@client.example> BODY=7BIT\x01", REFUSED, then=("RCPT TO:<%v>", "503"))
dialogue("parameter.8-bit", "5321 4.1.2", "An octet above 127 is no part of a parameter.",
         b"MAIL FROM:<a@client.example> X=\xe9", REFUSED, then=("RCPT TO:<%v>", "503"))
