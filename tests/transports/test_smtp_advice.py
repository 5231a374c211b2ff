"""What mail servers that are met every day say when they refuse, and which advice the administrator gets."""

import ssl

import pytest
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, with_login
from tests.transports.scripted_server import ScriptedServer, polite

from ringpost.domain.deliveries import Outcome

TO_A_MAIL = [
    # What servers repeat, and what they call their lists of mailboxes, says nothing of why.
    (
        "RCPT",
        "550 5.1.1 <bob@x.example>: Recipient address rejected: User unknown in relay recipient table",
        "NO_SUCH_",
    ),
    ("RCPT", "550 <bob@x.example>: Recipient address rejected: User unknown in relay recipient table", "RECIPIENT_RE"),
    ("RCPT", "550 <spfleger@x.example>: Recipient address rejected: User unknown", "RECIPIENT_REFUSED"),
    ("RCPT", "550 unknown user, says relay.x.example", "RECIPIENT_REFUSED"),
    ("RCPT", "552 5.2.2 Mailbox full, blocked", "MAILBOX_FULL"),
    ("RCPT", "552 mailbox is full", "MAILBOX_FULL"),
    ("RCPT", "550 The user is over quota", "MAILBOX_FULL"),
    ("RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "RELAYING_DENIED"),
    ("RCPT", "454 4.7.1 <bob@x.example>: Relay access denied", "RELAYING_DENIED"),
    ("RCPT", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "RELAYING_DENIED"),
    ("RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "NO_SUCH_"),
    (
        "DOT",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@x.example not found by SMTP address lookup",
        "NO_",
    ),
    ("RCPT", "556 5.1.10 Recipient address has null MX", "RECIPIENT_DOMAIN_UNKNOWN"),
    (
        "RCPT",
        "450 4.1.1 <b@x.example>: Recipient address rejected: unverified address: connect to mx[192.0.2.1]:25",
        "NOT",
    ),
    ("RCPT", "450 4.1.1 <b@x.example>: unverified address: Address verification in progress", "NOT_READY"),
    ("RCPT", "450 4.1.1 <b@x.example>: unverified address: host mx said: 550 5.1.1 User unknown", "NO_SUCH_MAILBOX"),
    # A group or mailbox that does not take mail from everybody.
    (
        "RCPT",
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
        "RECIPIENT_RESTRICTED",
    ),
    ("RCPT", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", "RECIPIENT_RESTRICTED"),
    ("DOT", "550 5.7.124 sender not in allowed-senders list", "RECIPIENT_RESTRICTED"),
    # The sender.
    ("RCPT", "450 4.1.8 <pbx@x.example>: Sender address rejected: Domain not found", "SENDER_DOMAIN_UNKNOWN"),
    ("RCPT", "553 5.7.1 <pbx@x.example>: Sender address rejected: not owned by user eve", "SENDER_NOT_OWNED"),
    ("RCPT", "550-Verification failed for <pbx@x.example>\r\n550 Sender verify failed", "SENDER_REFUSED"),
    ("MAIL", "550-Requested action not taken\r\n550 Sender address is not allowed.", "SENDER_NOT_OWNED"),
    ("DOT", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.Mapi; cannot submit", "SENDER_NOT_OWNED"),
    ("DOT", "554 Message rejected: Email address is not verified.", "SENDER_NOT_OWNED"),
    ("DOT", "550 5.7.515 Access denied, x.example does not meet the required authentication level", "SENDER_DOMAIN_"),
    ("DOT", "550 5.7.26 Multiple authentication checks failed", "SENDER_DOMAIN_POLICY"),
    ("DOT", "550 5.1.8 Access denied, bad outbound sender AS(42004)", "MICROSOFT_SENDER_BLOCKED"),
    (
        "DOT",
        "421-4.7.26 Your email has been rate limited because\r\n421 4.7.26 it is unauthenticated. gsmtp",
        "SENDER_DO",
    ),
    (
        "DOT",
        "421-4.7.32 The From: header is not aligned\r\n421 4.7.32 with your organization. x - gsmtp",
        "SENDER_DOMAIN_P",
    ),
    ("DOT", "550 5.7.30 Your email has been blocked because it is not signed. x - gsmtp", "SENDER_DOMAIN_POLICY"),
    # Our name, which Postfix and Exim refuse only here.
    ("RCPT", "504 5.5.2 <pbx>: Helo command rejected: need fully-qualified hostname", "EHLO_REFUSED"),
    ("RCPT", "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", "EHLO_REFUSED"),
    # A login that is missing.
    ("RCPT", "503 This mail server requires authentication when attempting to send to others", "LOGIN_REQUIRED"),
    ("MAIL", "550 5.7.1 Authentication required", "LOGIN_REQUIRED"),
    ("RCPT", "553 5.7.1 <pbx@x.example>: Sender address rejected: not logged in", "LOGIN_REQUIRED"),
    ("MAIL", "550 5.7.3 Requested action aborted; user not authenticated", "LOGIN_REQUIRED"),
    ("MAIL", "451 5.7.3 STARTTLS is required to send mail [x.example]", "AUTH_ONLY_AFTER_TLS"),
    # Too much.
    ("DOT", "550 5.4.5 Daily user sending limit exceeded. x - gsmtp", "SENDING_LIMIT"),
    ("DOT", "550 5.4.5 Daily SMTP relay sending limit exceeded for customer.", "SENDING_LIMIT"),
    ("DOT", "454 Throttling failure: Maximum sending rate exceeded.", "SENDING_LIMIT"),
    ("RCPT", "450 4.7.1 Error: too much mail from 192.0.2.1", "SENDING_LIMIT"),
    ("RCPT", "550 Domain x.example has exceeded the max emails per hour (150/100) allowed.", "SENDING_LIMIT"),
    ("DOT", "432 4.3.2 Concurrent connections limit exceeded.", "TOO_MANY_CONNECTIONS"),
    ("MAIL", "552 5.3.4 Message size exceeds fixed limit", "MAIL_TOO_LARGE"),
    ("DOT", "552 Message exceeds the maximum size, the limit is 10 MB", "MAIL_TOO_LARGE"),
    ("MAIL", "451 You have exceeded your messaging limits", "SENDING_LIMIT"),
    ("DOT", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; permanent", "SENDING_LIMIT"),
    (
        "DOT",
        "421-4.7.28 An unusual rate of unsolicited mail; it\r\n421 4.7.28 has been rate limited. gsmtp",
        "SENDING_LIMIT",
    ),
    ("MAIL", "421 4.7.0 Error: too many connections from 192.0.2.1", "TOO_MANY_CONNECTIONS"),
    ("DOT", "421 4.3.2 Service shutting down", "SERVER_BUSY"),
    # Policies.
    ("DOT", "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", "POLICY"),
    ("RCPT", "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "POLICY"),
    ("RCPT", "450 4.7.1 <bob@x.example>: Recipient address rejected: Service unavailable, try later", "GREYLISTED"),
    ("DOT", "451 4.7.0 Temporary server error. Please try again later. PRX2", "SERVER_TROUBLE"),
    ("RCPT", "451 4.7.500 Server busy. Please try again later", "SERVER_TROUBLE"),
    ("DOT", "550 5.7.1 Our system has detected that this message is likely unsolicited mail.", "TAKEN_FOR_SPAM"),
]
AT_LOGIN = [
    ("554 5.7.1 Access denied", "LOGIN_REFUSED"),
    ("435 Unable to authenticate at present", "LOGIN_NOT_NOW"),
    ("450 4.3.0 later", "LOGIN_NOT_NOW"),
    ("451 4.7.0 Temporary server error", "LOGIN_NOT_NOW"),
    ("454 4.7.0 Too many login attempts, please try again later. x - gsmtp", "TOO_MANY_LOGINS"),
    ("421 4.7.0 Too many failed authentications", "TOO_MANY_LOGINS"),
    ("432 4.3.2 Concurrent connections limit exceeded", "TOO_MANY_CONNECTIONS"),
    ("421 4.7.0 Too many connections", "TOO_MANY_CONNECTIONS"),
    ("421 4.3.2 Service shutting down", "SERVER_BUSY"),
    ("451 Authentication failed: Maximum credits exceeded", "SENDING_LIMIT"),
]
BEFORE = [
    ("EHLO", "554 5.7.1 not you", "EHLO_REFUSED"),
    ("EHLO", "450 4.7.1 <pbx>: Helo command rejected: Host not found", "EHLO_REFUSED"),
    ("GREETING", "451 4.7.1 Greylisted, come back later", "GREYLISTED"),
    ("GREETING", "454 no service", "GREETING_REFUSED"),
]


@pytest.mark.parametrize(("command", "said", "trap"), TO_A_MAIL)
async def test_a_refused_mail_is_explained_by_what_the_refusal_is_about(
    connect: Connect, command: str, said: str, trap: str
) -> None:
    outcome = await send(connect, command, said)

    assert outcome.trap.startswith(trap)


@pytest.mark.parametrize(("command", "said", "trap"), BEFORE)
async def test_who_is_refused_before_a_mail_is_not_told_of_the_mail(
    connect: Connect, command: str, said: str, trap: str
) -> None:
    outcome = await send(connect, command, said)

    assert outcome.trap == trap


@pytest.mark.parametrize(("said", "trap"), AT_LOGIN)
async def test_a_refused_login_is_not_explained_as_a_refused_mail(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, said: str, trap: str
) -> None:
    answers = {"AUTH": f"{said}\r\n".encode()}
    async with ScriptedServer(polite(answers, capabilities=("AUTH PLAIN LOGIN",), context=good_tls)) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

    assert outcome.trap == trap


async def send(connect: Connect, command: str, said: str) -> Outcome:
    async with ScriptedServer(polite({command: f"{said}\r\n".encode()})) as server:
        return await connect(endpoint(server.port), options()).send(envelope(), MESSAGE)
