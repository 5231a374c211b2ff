"""What the checks of fields and the use cases say, in the words of the console and ready to be translated.

They write for programs too, so some name fields of the API, and many have a number or a name in them, which no
catalogue of translations can know. Languages look here for every text that their catalogue does not have.
"""

import re
from functools import lru_cache
from typing import Final

from ringpost.console import doctor_summaries
from ringpost.console.marking import N_

ALIKE: Final = (
    # Addresses
    N_("There is no address. Write one like name@example.com."),
    N_("This is too long for an address. Separate addresses by commas."),
    N_("A quotation mark is not closed."),
    N_("The name before the address is encoded (`=?...?=`). Write it in plain letters."),
    N_("There is no @ in it. Write an address like name@example.com."),
    N_("There is nothing before the @. Write an address like name@example.com."),
    N_("There is more than one @ in it. Write addresses like name@example.com, separated by commas."),
    N_(
        "The part before the @ has a character that an address cannot have (such as a blank, a comma, a colon or a "
        "bracket), or a dot in the wrong place."
    ),
    N_("An IP address cannot stand after the @. Write the domain's name, like name@example.com."),
    N_("The part after the @ has no dot. Write the whole domain, like name@example.com."),
    N_("The part after the @ is not a domain. Check its spelling."),
    N_("The `<` before the address is missing. Write Name <name@example.com>."),
    N_('Put the name in quotation marks: "Doe, Jane" <jane@example.com>.'),
    N_("Only one address can stand here."),
    # Hosts, domains and people
    N_("The host needs a domain, such as mail.example.com."),
    N_("This is not a host name."),
    N_("An address with a zone cannot be a mail server."),
    N_("An address is not a domain."),
    N_("A port is a number from 1 to 65535."),
    N_("This name has no dot. Write the whole name, such as mail.example.com."),
    N_("There is a dot at the end. Leave it out."),
    N_("This is not a host. Write only a name such as mail.example.com, or an IP address; no port, no http://."),
    N_("This host is not allowed."),
    N_(
        "This address is that of the machine itself. Whoever runs Ringpost can permit it with "
        "RINGPOST_ALLOWED_MAIL_NETWORKS."
    ),
    N_(
        "This address is in a private or reserved network. Whoever runs Ringpost can permit it with "
        "RINGPOST_ALLOWED_MAIL_NETWORKS."
    ),
    N_("A username has 1 to 128 characters."),
    N_("A username has no control characters."),
    N_("A password is text without lone surrogates."),
    N_("The username or the password is wrong."),
    N_("This link has been used or has ended. Ask for a new one."),
    N_("This tenant is disabled."),
    N_("Too many tries. Wait, then try again."),
    # Made-up values of variables
    N_("Phone system"),
    # Keys and certificates
    N_("The private key does not belong to the certificate."),
    N_("The certificate has expired."),
    N_("This is not the key file of a service account. Paste the whole JSON file."),
    N_("The key file has no client_email. Paste the whole JSON file."),
    N_("The key file has no private_key. Paste the whole JSON file."),
    N_("The private key is protected by a password. Paste it without one."),
    N_("There is no private key in it, or it is damaged."),
    N_("There is no certificate in it. Paste the private key and the certificate."),
    # What is gone, and what cannot be done any more
    N_("There is no such delivery."),
    N_("There is no such user."),
    N_("There is no such API key."),
    N_("There is no such tenant."),
    N_("There is no such session."),
    N_("There is no such event type."),
    N_("There is no such invitation. It may have been used, or be over."),
    N_("There are no OAuth credentials."),
    N_("Only system administrators act for tenants."),
    N_("It was sent already."),
    N_("It is being sent at this moment."),
    # Trying a mail server out
    N_("What is stored for the login cannot be opened any more. Enter the password, or the OAuth credentials, again."),
    N_("Without a mail server of your own, only the recipients in your settings can be tried."),
    N_("Without a mail server of your own, test mails go only to the recipients in your settings."),
    N_("No password is stored for this mail server. Enter it, if the server asks for one."),
)
"""Said by others in words that the console would choose too."""

OTHERWISE: Final = {
    "The password would travel unencrypted. Turn enable_tls_ssl or enable_starttls_auto on, or set auth to "
    "DISABLE when the server needs no login.": N_(
        "The password would travel unencrypted. Choose another kind of encryption, or “No login” when the server needs "
        "none."
    ),
    "Give the password again: the stored one stays only while type, server, port, username and the TLS "
    "flags are unchanged. An empty password removes it.": N_(
        "Type the password again. The stored one is kept only while provider, server, port, encryption and user name "
        "stay as they were; nobody can have it sent elsewhere. When the new server needs none, choose “Forget the "
        "stored password”."
    ),
    "Give a password, or set auth to DISABLE when the server needs no login.": N_(
        "Type the password, or choose “No login” when the server needs none."
    ),
    "This field is required for type SMTP. Write a name such as mail.example.com.": N_(
        "Type the server's name, such as mail.example.com."
    ),
    "There is no mail server to send through. Save one in the settings first.": N_(
        "There is no mail server to send through. Set one up under Mail server first."
    ),
    "There is no mail server to examine. Save one in the settings first, or post the settings to try.": N_(
        "There is no mail server to examine. Fill in the form above, then press Diagnose."
    ),
    "There is no address to send from. Make the username a mail address, or fill in reply_to.": N_(
        "There is no address to send from. Under Mail server, write a whole mail address as user name, or fill in "
        "where answers go to."
    ),
    "The name of the mail server is missing. Fill in server.": N_(
        "The name of the mail server is missing. Fill it in under Mail server."
    ),
    "The password is missing. Fill it in, or set auth to DISABLE.": N_(
        "The password is missing. Type it under Mail server, or choose “No login” there."
    ),
    "The password is missing. Fill in an app password, or better, set up OAuth credentials.": N_(
        "There is nothing to sign in with. Set up OAuth under Mail server, or type an app password there."
    ),
    "Post the OAuth credentials with this secret; until then they stay as they are.": N_(
        "Enter the OAuth credentials with this secret; until then they stay as they are."
    ),
    "There is no mail server to send through. Fill it in, with its password or OAuth credentials.": N_(
        "There is no mail server to send through. Set one up under Mail server, with its password or OAuth credentials."
    ),
    "This must be true or false, without quotation marks.": N_("This must be on or off."),
    "Its message has been erased, so there is nothing to send. Send the event again with a new id.": N_(
        "Its text has been erased, so there is nothing to send any more. The phone system would have to report it "
        "again."
    ),
    "The mail server did not accept the mail.": N_("The mail was not taken"),
    # Of the catalogue of traps
    "user name is no mail address, and reply_to is empty.": N_(
        "The user name is no mail address, and where answers go to is empty."
    ),
    "EHLO lists no AUTH, or none of the mechanisms that auth permits.": N_(
        "EHLO lists no AUTH, or none of the mechanisms that the settings permit."
    ),
    "Check the server field for typing errors.": N_("Check the server's name for typing errors."),
    "Set auth, user name and password, or let its operator permit us.": N_(
        "Choose a way to sign in, type user name and password, or let the server's operator permit us."
    ),
    "It may want an app password or another auth setting.": N_(
        "It may want an app password, or another way to sign in."
    ),
    "Use the login's own address as sender (user name or reply_to), or have this one allowed at the provider.": N_(
        "Use the login's own address as sender (user name, or where answers go to), or have this one allowed at the "
        "provider."
    ),
    "Check the sender's address (user name or reply_to) for typing errors.": N_(
        "Check the sender's address (user name, or where answers go to) for typing errors."
    ),
    "Microsoft knows no app with this client_id in this organisation.": N_(
        "Microsoft knows no app with this application (client) ID in this organisation."
    ),
    "Microsoft knows no organisation like this tenant.": N_(
        "Microsoft knows no organisation with this directory (tenant) ID."
    ),
    "Set cloud to the one that it is in.": N_("Under Set up OAuth, choose the cloud that it is in."),
    "Check tenant, client_id and the secret or certificate; Microsoft's own words say more.": N_(
        "Check the directory ID, the application ID and the secret or certificate; Microsoft's own words say more."
    ),
    "Check client_id and client_secret.": N_("Check the client ID and the client secret."),
    "The username must be the address of a user of the organisation, not of a group or an alias.": N_(
        "The user name must be the address of a user of the organisation, not of a group or an alias."
    ),
    "Make the username the mailbox's own main address.": N_("Make the user name the mailbox's own main address."),
    "Check the username; it must be the address of a mailbox with an Exchange Online licence, or of a shared "
    "mailbox.": N_(
        "Check the user name; it must be the address of a mailbox with an Exchange Online licence, or of a shared "
        "mailbox."
    ),
    "Check the username.": N_("Check the user name."),
}
"""Said by others with names of the API's fields, or as only programs can do it -> the same for people."""

WITH_VALUES: Final = {
    "At most %(count)s addresses are allowed. Leave some out.": N_(
        "At most %(count)s addresses are allowed. Leave some out."
    ),
    "This is too long. At most %(count)s addresses are allowed.": N_(
        "This is too long. At most %(count)s addresses are allowed."
    ),
    "There is an invisible or control character (%(character)s) in it. Type the address anew.": N_(
        "There is an invisible or control character (%(character)s) in it. Type the address anew."
    ),
    "The name before the address is longer than %(count)s characters. Shorten it.": N_(
        "The name before the address is longer than %(count)s characters. Shorten it."
    ),
    "The address is longer than %(count)s characters.": N_("The address is longer than %(count)s characters."),
    "The part before the @ is longer than %(count)s characters.": N_(
        "The part before the @ is longer than %(count)s characters."
    ),
    "The part after the @ is longer than %(count)s characters.": N_(
        "The part after the @ is longer than %(count)s characters."
    ),
    "A password has %(count)s characters or more.": N_("A password has %(count)s characters or more."),
    "A password has %(count)s bytes at most.": N_("A password has %(count)s bytes at most."),
    "This is too long: at most %(count)s characters.": N_("This is too long: at most %(count)s characters."),
    "This must be a whole number from %(lowest)s to %(highest)s, without quotation marks.": N_(
        "This must be a whole number from %(lowest)s to %(highest)s."
    ),
    "This must be a number from %(lowest)s to %(highest)s, without quotation marks.": N_(
        "This must be a number from %(lowest)s to %(highest)s."
    ),
    "This field is required. It is one of %(choices)s.": N_("This field is required. It is one of %(choices)s."),
    "This must be one of %(choices)s, spelled exactly so.": N_("This must be one of %(choices)s, spelled exactly so."),
    "This port is not allowed. Mail servers take mail on one of %(ports)s.": N_(
        "This port is not allowed. Mail servers take mail on one of %(ports)s."
    ),
    "The private key must be an RSA key of at least %(count)s bits.": N_(
        "The private key must be an RSA key of at least %(count)s bits."
    ),
    "The private key must be an RSA key of at most %(count)s bits.": N_(
        "The private key must be an RSA key of at most %(count)s bits."
    ),
    "The mail would be larger than %(count)s MiB.": N_("The mail would be larger than %(count)s MiB."),
    "At most %(count)s characters.": N_("At most %(count)s characters."),
    "At most %(count)s KiB.": N_("At most %(count)s KiB."),
    "At most %(count)s HTML tags.": N_("At most %(count)s HTML tags."),
    "At most %(count)s attributes of HTML tags.": N_("At most %(count)s attributes of HTML tags."),
    "At most %(count)s variables.": N_("At most %(count)s variables."),
    "Give the secret again: %(needed)s. The stored one stays only while provider, tenant, client_id and cloud are "
    "unchanged.": N_(
        "Enter the secret again: the stored one is kept only while provider, organisation and application stay as they "
        "were."
    ),
    "There is no such part; there are %(names)s.": N_("There is no such part; there are %(names)s."),
    "There is no template of this name; there are %(names)s.": N_(
        "There is no template of this name; there are %(names)s."
    ),
    "There are %(count)s more such names.": N_("There are %(count)s more such names."),
    "This file is of a tenant; the format must be %(format)s.": N_(
        "This file is of a tenant, so it cannot be imported at the system level."
    ),
    "This file is of the system level; the format must be %(format)s.": N_(
        "This file is of the system level, so it cannot be imported into a tenant."
    ),
    # The parser's own words are left out: they are English, and about its rules.
    "The file is not JSON (line %(line)s, column %(column)s): %(words)s.": N_(
        "The file is not JSON: it cannot be read from line %(line)s, column %(column)s on."
    ),
    "The file is not JSON: %(text)s is not a number.": N_("The file is not JSON: %(text)s is not a number."),
    "The file starts with a byte order mark. Send UTF-8 without one.": N_(
        "The file starts with a byte order mark. Save it as UTF-8 without one."
    ),
    "The file is nested more than %(levels)s levels deep.": N_("The file is nested more than %(levels)s levels deep."),
    "The file is nested more than %(levels)s levels deep, or its brackets do not match.": N_(
        "The file is nested more than %(levels)s levels deep, or its brackets do not match."
    ),
    "An object in the file has the same key twice.": N_("An object in the file has the same key twice."),
    "A number in the file is too long.": N_("A number in the file is too long."),
    "A number in the file is too large or too long.": N_("A number in the file is too large or too long."),
    "This is no file that Ringpost exported: the format must be %(format)s.": N_(
        "This is no file that Ringpost exported."
    ),
    "This must be a whole number, such as %(number)s.": N_("This must be a whole number, such as %(number)s."),
    "The file is of version %(version)s, and this Ringpost reads up to %(known)s. Import it with a newer one.": N_(
        "The file is of version %(version)s, and this Ringpost reads up to %(known)s. Import it with a newer one."
    ),
    "It cannot be cancelled, because it is %(state)s.": N_("It cannot be cancelled any more."),
    "There is a user %(name)s already.": N_("There is a user %(name)s already."),
    "There is a tenant with the domain %(domain)s already.": N_(
        "There is a tenant with the domain %(domain)s already."
    ),
    "The role %(role)s does not reach as far as %(scope)s.": N_(
        "The role %(role)s does not reach as far as %(scope)s."
    ),
    "%(name)s is not customised.": N_("This template is not customised any more."),
    "%(name)s has no revision %(number)s.": N_("There is no such revision."),
}
"""The same for what has values in it; `%(name)s` stands for one."""

MESSAGES: Final = frozenset({"first", "username", "password"})
"""Values that are messages themselves."""
_ALSO_WRONG: Final = " Also wrong: "
_AND_OTHERS: Final = N_("%(first)s Also wrong: %(others)s")
_VALUE: Final = re.compile(r"%\((\w+)\)s")


def _pattern(text: str) -> re.Pattern[str]:
    parts = _VALUE.split(text)
    return re.compile(
        "".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
    )


_PATTERNS: Final = tuple(
    (text.partition("%(")[0], _pattern(text), plain)
    for text, plain in {**WITH_VALUES, **doctor_summaries.WITH_VALUES}.items()
)


@lru_cache(maxsize=4096)  # every text of every page is looked up, most of them in vain
def in_plain(message: str) -> tuple[str, dict[str, str]]:
    """The text to be translated instead of `message`, and the values to be filled in. What is unknown stays."""
    first, also, others = message.partition(_ALSO_WRONG)
    if also:
        return _AND_OTHERS, {"first": first, "others": others}
    for beginning, pattern, plain in _PATTERNS:
        if message.startswith(beginning) and (found := pattern.fullmatch(message)):
            return plain, found.groupdict()
    return message, {}
