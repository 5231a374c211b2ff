"""Traps of the login."""

from typing import Final

from ringpost.domain.traps.trap import Trap

LOGIN_IN_CLEAR: Final = Trap(
    "LOGIN_IN_CLEAR",
    "The password would travel unencrypted",
    "A login is set, and the connection is not encrypted.",
    "The connection is not encrypted, so the password is not sent.",
    "Turn TLS on, or set auth to DISABLE if the server needs no login.",
)
AUTH_ONLY_AFTER_TLS: Final = Trap(
    "AUTH_ONLY_AFTER_TLS",
    "The mail server wants encryption before the login",
    "530 or 538 to AUTH, or words such as `Must issue a STARTTLS command first`.",
    "The mail server wants encryption before the login.",
    "Turn TLS on: enable_tls_ssl and enable_starttls_auto, with port 587.",
)
AUTH_NOT_OFFERED: Final = Trap(
    "AUTH_NOT_OFFERED",
    "The mail server offers no login that may be used",
    "EHLO lists no AUTH, or none of the mechanisms that auth permits.",
    "The mail server offers no login that we may use.",
    "Set auth to AUTO, or to DISABLE if the server needs no login, or try another port such as 587.",
)
NO_PASSWORD: Final = Trap(
    "NO_PASSWORD",
    "A login without a password",
    "A login is set, but no user name or password is stored.",
    "A login is configured but no user name or password is stored.",
    "Enter them, or set auth to DISABLE.",
)
UNSENDABLE_PASSWORD: Final = Trap(
    "UNSENDABLE_PASSWORD",
    "User name or password cannot be sent",
    "User name or password has a NUL.",
    "User name or password have a character that cannot be sent.",
    "Enter them again.",
)
# An attempt keeps its trap without the login, so these say what holds for organisations and for personal addresses.
MICROSOFT_BASIC_AUTH_OFF: Final = Trap(
    "MICROSOFT_BASIC_AUTH_OFF",
    "Microsoft: login with a password is switched off",
    "535 5.7.139.",
    "The mail server refused the login: at Microsoft the login with a password (SMTP AUTH) is switched off for this "
    "mailbox or for the whole organisation.",
    "With an organisation's address, best set the type to MS365 and set up OAuth; else let your Microsoft "
    "administrator turn on Authenticated SMTP for this mailbox, and turn security defaults off. A personal address "
    "(outlook.com, hotmail.com, live.com, msn.com) can do neither: send through another provider.",
)
MICROSOFT_WRONG_PASSWORD: Final = Trap(
    "MICROSOFT_WRONG_PASSWORD",
    "Microsoft: user name or password is wrong",
    "535 5.7.3, or 5.7.139 with `credentials were incorrect`.",
    "The mail server refused the login: for Microsoft, user name or password is wrong.",
    "The user name is the whole mail address. With two-factor login an app password is needed. An organisation may not "
    "permit those; with its address, better set the type to MS365 and set up OAuth. A personal address (outlook.com, "
    "hotmail.com, live.com, msn.com) cannot do that, and an app password works only as long as Microsoft takes it.",
)
MICROSOFT_BASIC_AUTH_RETIRED: Final = Trap(
    "MICROSOFT_BASIC_AUTH_RETIRED",
    "Microsoft: passwords are not taken any more",
    "5.7.30.",
    "Microsoft takes no passwords for sending mail any more.",
    "No password will help. With an organisation's address, set the type to MS365 and set up OAuth. A personal address "
    "(outlook.com, hotmail.com, live.com, msn.com) cannot do that: send through another provider.",
)
MICROSOFT_NOT_AUTHENTICATED: Final = Trap(
    "MICROSOFT_NOT_AUTHENTICATED",
    "Microsoft: not logged in",
    "5.7.57.",
    "The mail server wants a login first, or SMTP login is switched off for this mailbox.",
    "Set auth to AUTO, with user name and password, on port 587: on smtp.office365.com with an organisation's address, "
    "on smtp-mail.outlook.com with a personal one (outlook.com, hotmail.com, live.com, msn.com). An organisation may "
    "instead set the type to MS365 and set up OAuth.",
)
GOOGLE_APP_PASSWORD: Final = Trap(
    "GOOGLE_APP_PASSWORD",
    "Google: an app password is needed",
    "534 5.7.9.",
    "The mail server does not take this kind of login: it wants an app password.",
    "Make an app password in the Google account (Security, 2-Step Verification) and enter its 16 letters as the "
    "password; or set up OAuth.",
)
GOOGLE_BAD_CREDENTIALS: Final = Trap(
    "GOOGLE_BAD_CREDENTIALS",
    "Google: user name or password is wrong",
    "535 5.7.8 in Google's words.",
    "The mail server refused the login: Google does not accept this user name and password.",
    "The password of the account itself never works here: make an app password (Security, 2-Step Verification) and "
    "enter its 16 letters. The user name is the whole mail address.",
)
MICROSOFT_TOKEN_LOGIN_REFUSED: Final = Trap(
    "MICROSOFT_TOKEN_LOGIN_REFUSED",
    "Microsoft: no SMTP login with the access token",
    "A refusal of AUTH XOAUTH2 at Microsoft, or none offered.",
    "Microsoft gives an access token for the OAuth credentials, but its SMTP server does not take the login with it.",
    "Best leave server empty: mail then goes through Microsoft Graph. To send by SMTP, give the app the application "
    "permission SMTP.SendAsApp with admin consent, let an Exchange administrator register its service principal and "
    "give it full access to the mailbox, and turn on Authenticated SMTP for the mailbox.",
)
GOOGLE_TOKEN_LOGIN_REFUSED: Final = Trap(
    "GOOGLE_TOKEN_LOGIN_REFUSED",
    "Google: no SMTP login with the access token",
    "A refusal of AUTH XOAUTH2 at Google, or none offered.",
    "Google gives an access token for the OAuth credentials, but its SMTP server does not take the login with it.",
    "Best leave server empty: mail then goes through the Gmail API. To send by SMTP, the delegation or the consent "
    "needs the scope https://mail.google.com/, and the username must be the address of the mailbox that they are for.",
)
LOGIN_REFUSED: Final = Trap(
    "LOGIN_REFUSED",
    "User name or password is wrong",
    "535, or another refusal of AUTH.",
    "The mail server refused the login.",
    "Check user name and password; accounts with two-factor login need an app password, and some providers have to "
    "permit SMTP login first.",
)
LOGIN_KIND_REFUSED: Final = Trap(
    "LOGIN_KIND_REFUSED",
    "Not this kind of login",
    "534 without Google's code.",
    "The mail server does not take this kind of login.",
    "It may want an app password or another auth setting.",
)
LOGIN_NOT_NOW: Final = Trap(
    "LOGIN_NOT_NOW",
    "Logins cannot be checked just now",
    "454, or another temporary refusal of AUTH.",
    "The mail server cannot check logins just now.",
    "A delivery is tried again by itself.",
)
TOO_MANY_LOGINS: Final = Trap(
    "TOO_MANY_LOGINS",
    "Too many logins",
    "A temporary refusal of AUTH that speaks of too many logins.",
    "The mail server takes no login from us for a while: there were too many, or too many with a wrong password.",
    "A delivery is tried again by itself. If it stays so, see what else logs in to this mailbox, perhaps with an old "
    "password.",
)
LOGIN_REQUIRED: Final = Trap(
    "LOGIN_REQUIRED",
    "The mail server wants a login",
    "530 to MAIL or RCPT, or another refusal that asks for a login.",
    "The mail server wants a login or encryption first.",
    "Set auth and TLS: auth AUTO with user name and password, on port 587 or 465.",
)
TOKEN_REFUSED: Final = Trap(
    "TOKEN_REFUSED",
    "There is no access token",
    "The provider does not give an access token for the OAuth credentials.",
    "The provider gives no access token for the OAuth credentials.",
    "Check the OAuth credentials; the provider's own words say more.",
)
