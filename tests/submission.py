"""submission.py start|wrap PORT CERTIFICATE: Python's smtplib as a mail program. Exit 0: four messages were sent, two
wrong passwords and two relays refused, each with the code that it should have."""
import smtplib
import ssl
import sys

MODE, PORT, CERTIFICATE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
TEXT = "Subject: x\r\n\r\nx\r\n"
VERIFIED = ssl.create_default_context(cafile=CERTIFICATE)


def check(condition, *what):
    if not condition:
        sys.exit(" ".join(map(str, what)))


def session():
    if MODE == "wrap":
        s = smtplib.SMTP_SSL("127.0.0.1", PORT, "client.example", context=VERIFIED, timeout=10)
    else:
        s = smtplib.SMTP("127.0.0.1", PORT, "client.example", timeout=10)
        s.ehlo()
        check(s.has_extn("starttls") and not s.has_extn("auth"), "before TLS:", s.esmtp_features)
        s.starttls(context=VERIFIED)
    s.ehlo()
    check(s.has_extn("auth") and not s.has_extn("starttls"), "in TLS:", s.esmtp_features)
    return s


def send(s):
    s.sendmail("a@b.example", ["u@elsewhere.example"], TEXT)


def refused(kind, code, action):
    """It raises that, with that code."""
    try:
        action()
    except kind as e:
        got = e.recipients["u@elsewhere.example"][0] if kind is smtplib.SMTPRecipientsRefused else e.smtp_code
        check(got == code, e)
    else:
        sys.exit(f"{code} was expected")


for mechanism in "PLAIN", "LOGIN":
    for initial in True, False:
        with session() as s:
            s.user, s.password = "joe", "secret"
            s.auth(mechanism, getattr(s, "auth_" + mechanism.lower()), initial_response_ok=initial)
            send(s)
    with session() as s:
        s.user, s.password = "joe", "wrong"
        refused(smtplib.SMTPAuthenticationError, 535,
                lambda s=s, m=mechanism: s.auth(m, getattr(s, "auth_" + m.lower())))
        refused(smtplib.SMTPRecipientsRefused, 553, lambda s=s: send(s))
if MODE == "start":
    with smtplib.SMTP("127.0.0.1", PORT, "client.example", timeout=10) as s:
        try:
            s.login("joe", "secret")
        except smtplib.SMTPNotSupportedError:
            pass
        else:
            sys.exit("AUTH without TLS")
