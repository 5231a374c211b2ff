"""What the doctor says of its steps and the transports of attempts, beside the catalogue of traps; to be translated."""

from typing import Final

from ringpost.console.marking import N_

ALIKE: Final = (
    # Steps of the doctor
    N_("An earlier step failed."),
    N_("The settings are not complete."),
    N_("This works."),
    N_("This works, but take note."),
    N_("This does not work."),
    N_("This was not tried."),
    N_("This is only known by sending: send a test mail."),
    N_("Name a recipient to have this tried; nothing is sent."),
    N_("There was no time left."),
    N_("The name of the mail server could not be looked up."),
    N_("The server is an IP address; there is nothing to look up."),
    N_("No connection."),
    N_("No greeting that we could work with."),
    N_("The mail server greets us."),
    N_("The mail server does not accept our introduction."),
    N_("The mail server accepts our name."),
    N_("No encryption that could be trusted."),
    N_("The connection is not encrypted."),
    N_("No login."),
    N_("No login is set."),
    N_("No access token."),
    N_("The sender was not accepted."),
    N_("The recipient was not accepted."),
    N_("No answer."),
    N_("There is more than one."),
    # Of the catalogue of traps, which puts them together of parts
    N_(
        "Enter the secret's value, not its id; when in doubt, make a new one under Certificates & secrets of the app "
        "registration."
    ),
    N_("Make a new one under Certificates & secrets of the app registration and enter its value."),
    N_("Upload the same certificate under Certificates & secrets of the app registration."),
    N_("Nobody knows whether the mail was taken; a delivery is tried again."),
    # Attempts, beside the catalogue of traps
    N_("The name of the mail provider is not known in the DNS. Check the network of the machine."),
    N_("The mail provider cannot be reached. Check the network of the machine; HTTPS to it must be open."),
    N_("The mail provider did not answer in time."),
    N_("The mail provider did not answer in time. A delivery is tried again by itself."),
    N_("What answered is not the mail provider. Something in the network stands between, such as a proxy."),
    N_(
        "The connection was lost after the whole mail had been handed over, so the provider may have it. A "
        "delivery is sent again with the same Message-ID: better twice than never."
    ),
    N_("Ringpost is shutting down. A delivery is tried again by itself."),
    N_(
        "The operator has set how many mails a minute this mail server is given, and they have gone. The others wait "
        "their turn."
    ),
    N_(
        "The mail server has not answered yet to the mails that it was just given, and the pace that the operator has "
        "set for it permits only so many at once. A delivery is tried again by itself."
    ),
    N_(
        "The provider takes only so many mails a minute from one mailbox, and this mailbox has used them up. The "
        "others wait their turn."
    ),
    N_(
        "The provider has not answered yet to the mails that it was just given for this mailbox, and takes only so "
        "many at once. A delivery is tried again by itself."
    ),
    N_(
        "The provider has asked to be given no more mails for this mailbox for a while. A delivery is tried again by "
        "itself."
    ),
    N_("The stored message cannot be opened: its key is missing from the key ring. The operator can mend that."),
    N_("Ringpost was stopped while this mail was being sent, so it may have been sent. It is tried again."),
    N_("Sending this mail stopped Ringpost several times, so it was set aside. Once that is mended, retry it."),
    N_("Ringpost itself failed at this mail. The log says why."),
    N_("The message has been erased."),
)
"""Said in words that the console would choose too."""

WITH_VALUES: Final = {
    "%(host)s is at %(addresses)s.": N_("%(host)s is at %(addresses)s."),
    "Connected to %(address)s, port %(port)s.": N_("Connected to %(address)s, port %(port)s."),
    "Encrypted with %(version)s. The certificate is good for %(days)s more days.": N_(
        "Encrypted with %(version)s. The certificate is good for %(days)s more days."
    ),
    "Encrypted with %(version)s.": N_("Encrypted with %(version)s."),
    "It offers login with %(names)s, mails of up to %(size)s bytes.": N_(
        "It offers login with %(names)s, mails of up to %(size)s bytes."
    ),
    "It offers login with %(names)s.": N_("It offers login with %(names)s."),
    "It offers no login, %(names)s, mails of up to %(size)s bytes.": N_(
        "It offers no login, but %(names)s and mails of up to %(size)s bytes."
    ),
    "It offers no login, mails of up to %(size)s bytes.": N_("It offers no login, and mails of up to %(size)s bytes."),
    "It offers no login, %(names)s.": N_("It offers no login, but %(names)s."),
    "It offers no login.": N_("It offers no login."),
    "Logged in as %(name)s.": N_("Logged in as %(name)s."),
    "It takes mail from %(address)s.": N_("It takes mail from %(address)s."),
    "It takes mail for %(address)s.": N_("It takes mail for %(address)s."),
    "%(label)s: there is an access token.": N_("%(label)s: there is an access token."),
    "Mail for %(domain)s goes to %(names)s.": N_("Mail for %(domain)s goes to %(names)s."),
    "It does not have include:%(wanted)s.": N_("It does not have include:%(wanted)s."),
    "%(domain)s does not exist.": N_("%(domain)s does not exist."),
    "%(domain)s takes no mail.": N_("%(domain)s takes no mail."),
    "%(domain)s has no SPF record.": N_("%(domain)s has no SPF record."),
    "%(domain)s says who may send for it.": N_("%(domain)s says who may send for it."),
    "%(domain)s has a DMARC record.": N_("%(domain)s has a DMARC record."),
    "%(domain)s has no DMARC record.": N_("%(domain)s has no DMARC record."),
    "%(provider)s describes other settings. The user name there is %(username)s; the password is %(password)s.": N_(
        "%(provider)s describes other settings. The user name there is %(username)s; the password is %(password)s."
    ),
    "The %(count)s mails that may go through the system's mail server in an hour have gone. The rest goes by itself "
    "when the hour is over; a mail server of your own has no such limit.": N_(
        "The %(count)s mails that may go through the phone system's mail server in an hour have gone. The rest goes by "
        "itself when the hour is over; a mail server of your own has no such limit."
    ),
    "The mail server took more than %(seconds)s s. Check its name and port.": N_(
        "The mail server took more than %(seconds)s seconds. Check its name and port."
    ),
}
"""The same for what has values in it; `%(name)s` stands for one."""
