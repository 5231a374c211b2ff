"""What is known of the provider that a server's name or an address gives away, said before anything is tried."""

from collections.abc import Mapping
from typing import Any, Final

from ringpost.console.doctor_words import Advice, named
from ringpost.console.languages import N_
from ringpost.console.server_form import in_form, mail_server_of, recognised
from ringpost.console.visit import Visit
from ringpost.domain.mail_servers import ServerType

USER_NAMES: Final = (
    N_("the whole mail address"),
    N_("the SMTP user name from the SES console, not an access key"),
    N_("the word apikey, literally"),
    N_("the SMTP login of the sending domain"),
    N_("the server's API token"),
    N_("the SMTP login from the settings"),
    N_("an API key"),
)
"""What `domain.providers` says of user names, to be translated."""
PASSWORDS: Final = (
    N_("the password of the mailbox"),
    N_("an app password, made in the account's security settings; the account's own password does not work"),
    N_("the mailbox's password, as long as Microsoft takes it; better OAuth, with Microsoft 365 as the provider"),
    N_("an app password, as long as Microsoft takes it"),
    N_("the SMTP password from the SES console, not a secret key"),
    N_("an API key"),
    N_("the SMTP password that they show for this purpose, not the one of the account"),
    N_("the server's API token again"),
    N_("an SMTP key"),
    N_("the secret key that belongs to it"),
    N_("the mailbox's password, after sending by SMTP was switched on in its settings"),
    N_("the password for mail programs from the customer centre, not the one of the account"),
    N_("an SMTP token from the settings; Proton Mail Bridge has a password of its own"),
)
"""The same of passwords."""

_RETIRED: Final = {
    "Microsoft 365": (
        ServerType.MS365,
        N_(
            "Microsoft is retiring passwords for sending mail. Choose Microsoft 365 as the provider: it sends without "
            "a password (OAuth)."
        ),
    ),
    "Outlook.com": (None, N_("Microsoft is retiring passwords for sending mail; this may stop working at any time.")),
    "Gmail": (
        ServerType.GMAIL,
        N_(
            "Google takes no account passwords any more, only app passwords. Choose Gmail as the provider to send "
            "without any password (OAuth)."
        ),
    ),
}
"""Provider -> the type to choose instead, and why."""


def recognise(visit: Visit, values: Mapping[str, Any]) -> list[Advice]:
    """What to say of a server of any kind; nothing for the types that are a provider's anyway."""
    if values.get("type") != ServerType.SMTP:
        return []
    provider = recognised(str(values.get("server") or ""), str(values.get("username") or ""))
    if provider is None:
        return []
    told: list[Advice] = []
    server = mail_server_of(values)
    wanted = {} if server is not None and provider.fits(server) else in_form(values, provider.settings)
    text = visit.say(
        "The user name is %(username)s. The password is %(password)s.",
        username=visit.say(provider.username),
        password=visit.say(provider.password),
    )
    title = visit.say("This is %(provider)s", provider=provider.name)
    to_do = visit.say("The settings that %(provider)s describes are others.", provider=provider.name) if wanted else ""
    told.append(Advice("info", title, text, to_do, wanted, named(visit, wanted)))
    if provider.name in _RETIRED:
        kind, why = _RETIRED[provider.name]
        instead = {"type": kind.value} if kind else {}
        title = visit.say("Passwords are on their way out here")
        told.append(Advice("warning", title, visit.say(why), "", instead, named(visit, instead)))
    return told
