"""Mail addresses, parsed once at the edge and passed on as values.

What is taken, and where it is narrower than RFC 5322 on purpose:

- `name@example.com`, `<name@example.com>`, `Name <name@example.com>`, `"Doe, Jane" <jane@example.com>`.
- The local part is a dot-atom (RFC 5322 3.2.3) with letters of any script (RFC 6531 3.3). Quoted local parts
  (`"a b"@example.com`), comments and routes are refused: hardly a mailbox needs them, and mail servers disagree about
  what they mean.
- The domain is a name with at least one dot; never an address literal. An internationalised one is kept as typed and
  goes on the wire as A-labels (RFC 5891, mapped by UTS 46).
- Invisible characters and those that turn the direction of writing are refused everywhere: they make one address look
  like another.

Two addresses are the same when their domains are the same name and their local parts are equal to the letter, because
only the receiving server knows whether upper case matters (RFC 5321 2.4).
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import idna

from ringpost.domain.hosts import LABEL, MAX_DOMAIN
from ringpost.errors import FieldError, Invalid

MAX_RECIPIENTS: Final = 15
"""How many recipients the settings may have (docs/api.md#settings)."""
MAX_LOCAL: Final = 64
"""Octets of a local part (RFC 5321 4.5.3.1.1)."""
MAX_SPEC: Final = 254
"""Octets of `local@domain`: a path has 256 with its angle brackets (RFC 5321 4.5.3.1.3)."""
MAX_DISPLAY_NAME: Final = 200
BLANKS: Final = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""What is cut off at both ends of a text: the tab, and the blanks of every script (Unicode category Zs)."""
_LONGEST_ITEM = 2 * (MAX_DISPLAY_NAME + MAX_SPEC)
_SHOWN = 100
_MOST_FAULTS = 4

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]"
_DOT_ATOM = re.compile(rf"{_ATEXT}++(?:\.{_ATEXT}++)*+")
# Possessive throughout: no text makes these go back, so each is linear (see the test with 1 MiB).
_QUOTED = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_ITEM = re.compile(rf'(?:[^",;\r\n]++|{_QUOTED})++', re.DOTALL)
_BALANCED = re.compile(r'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_WHOLE_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_QUOTES = re.compile(r'[()<>\[\]:;@\\,."]')
_NOT_IN_PLAIN_NAME = re.compile(r'[<>\[\]:;@\\,"]')
_INVISIBLE = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\U00016fe4").union(
    *(
        map(chr, range(first, last + 1))
        for first, last in ((0x17B4, 0x17B5), (0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    )
)
"""Blank to the eye though Unicode counts them as letters, marks or symbols; the others are found by category.

Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties, the blank of Braille and the filler of Khitan."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox (RFC 5322 3.4), already checked. Made by `parse_address` and `parse_recipients`."""

    local: str
    domain: str
    """As typed, may be an internationalised name (U-labels)."""
    ascii_domain: str
    """The same in A-labels, lower case (RFC 5891); what goes on the wire."""
    display_name: str = ""

    @property
    def spec(self) -> str:
        """`local@domain` as it was typed; for people."""
        return f"{self.local}@{self.domain}"

    @property
    def canonical(self) -> str:
        """The same with the domain in lower case and U-labels: alike for all ways to write one; for keeping.

        `parse_address` reads the same mailbox back.
        """
        return f"{self.local}@{_in_letters(self.ascii_domain)}"

    @property
    def wire(self) -> str:
        """`local@ascii_domain`; for SMTP commands and headers."""
        return f"{self.local}@{self.ascii_domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """True when only a server with SMTPUTF8 can take it (RFC 6531): the local part has no ASCII form."""
        return not self.local.isascii()

    @property
    def key(self) -> str:
        """Equal for addresses of the same mailbox, whatever their display names and the spelling of their domains."""
        return f"{unicodedata.normalize('NFC', self.local)}@{self.ascii_domain}"


def parse_address(text: str, field: str = "address") -> Address:
    """Read exactly one address. Invalid, naming `field`, when it is none or more than one."""
    try:
        return _parse(_trim(text))
    except ValueError as fault:
        is_list = len(text) <= _LONGEST_ITEM and sum("@" in item for item in _ITEM.findall(text)) > 1
        raise Invalid(FieldError(field, "Only one address can stand here." if is_list else str(fault))) from None


def parse_recipients(text: str, limit: int = MAX_RECIPIENTS, field: str = "recipients") -> tuple[Address, ...]:
    """Read a list separated by `,`, `;` or line breaks. Empty items are skipped; of duplicates the first stays.

    Invalid, naming `field`, when an item is no address (the error names that item, and its message some more that are
    wrong) or when there are more than `limit` different ones.
    """
    if len(text) > limit * _LONGEST_ITEM:
        raise Invalid(FieldError(field, f"This is too long. At most {limit} addresses are allowed."))
    found, faults = _read(text, limit)
    if faults:
        item, message = faults[0]
        others = ", ".join(f"`{other}`" for other, _ in faults[1:])
        raise Invalid(FieldError(field, f"{message} Also wrong: {others}." if others else message, item))
    if len(found) > limit:
        raise Invalid(FieldError(field, f"At most {limit} addresses are allowed. Leave some out."))
    return tuple(found.values())


def readable_recipients(text: str) -> tuple[Address, ...]:
    """The addresses of a list that was checked when it was saved; what would be refused today is left out."""
    return tuple(_read(text, MAX_RECIPIENTS)[0].values())


def wrong_recipients(text: str, limit: int = MAX_RECIPIENTS) -> list[tuple[str, str]]:
    """The first items of such a list that are no addresses, made fit to be shown, each with what is wrong with it."""
    return [] if len(text) > limit * _LONGEST_ITEM else _read(text, limit)[1]


def _read(text: str, limit: int) -> tuple[dict[str, Address], list[tuple[str, str]]]:
    """Addresses by their keys, and items that are none with their faults; until there are enough of either."""
    found: dict[str, Address] = {}
    faults: list[tuple[str, str]] = []
    for match in _ITEM.finditer(text):
        item = _trim(match[0])
        if not item:
            continue
        try:
            address = _parse(item)
        except ValueError as fault:
            faults.append((visible(item), str(fault)))
        else:
            found.setdefault(address.key, address)
        if len(faults) == _MOST_FAULTS or len(found) > limit:
            break
    return found, faults


def format_address(address: Address) -> str:
    """The address with its display name, quoted where it has to be. `parse_address` reads the same one back."""
    if not address.display_name:
        return address.spec
    name = address.display_name
    if _NEEDS_QUOTES.search(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address.spec}>"


def format_recipients(addresses: Iterable[Address]) -> str:
    """The addresses joined by `, `. `parse_recipients` reads the same ones back."""
    return ", ".join(map(format_address, addresses))


def unseen_character(text: str) -> str | None:
    """The first control, invisible or direction-turning character of a text, as `U+202E`; None when there is none."""
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        # Cc controls, Cf format (zero width, bidi), Cs surrogates, Co private, Cn unassigned, Zl and Zp line breaks.
        category = unicodedata.category(character)
        if category[0] == "C" or category in ("Zl", "Zp") or character in _INVISIBLE:
            return f"U+{ord(character):04X}"
    return None


def visible(text: str) -> str:
    """A text that came from outside, cut and made fit to be shown in a message: nothing unseen stays in it."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    if unseen_character(shown) is None:
        return shown
    return "".join(one if unseen_character(one) is None else f"<U+{ord(one):04X}>" for one in shown)


def _trim(text: str) -> str:
    # Blanks only. A line break at the end is not a blank: it has no business in a single address.
    return text.strip(BLANKS)


def _parse(item: str) -> Address:
    """Parse one trimmed item. ValueError, with a message for a person, when it is not an address."""
    if not item:
        raise ValueError("There is no address. Write one like name@example.com.")
    if len(item) > _LONGEST_ITEM:
        raise ValueError("This is too long for an address. Separate addresses by commas.")
    unseen = unseen_character(item)
    if unseen is not None:
        raise ValueError(f"There is an invisible or control character ({unseen}) in it. Type the address anew.")
    if '"' in item and not _BALANCED.fullmatch(item):
        raise ValueError("A quotation mark is not closed.")
    if item.endswith(">"):
        name, bracket, spec = item[:-1].rpartition("<")
        if not bracket:
            raise ValueError("The `<` before the address is missing. Write Name <name@example.com>.")
        return _parse_spec(spec, _display_name(name.strip()))
    return _parse_spec(item, "")


def _display_name(text: str) -> str:
    quoted = _WHOLE_QUOTED.fullmatch(text)
    if quoted is not None:
        text = _ESCAPE.sub(r"\1", quoted[1])
    elif _NOT_IN_PLAIN_NAME.search(text):
        raise ValueError('Put the name in quotation marks: "Doe, Jane" <jane@example.com>.')
    # White space in a name means one blank (RFC 5322 3.2.2), so what is formatted reads back as the same.
    name = " ".join(text.split())
    if len(name) > MAX_DISPLAY_NAME:
        raise ValueError(f"The name before the address is longer than {MAX_DISPLAY_NAME} characters. Shorten it.")
    if "=?" in name:
        raise ValueError("The name before the address is encoded (`=?...?=`). Write it in plain letters.")
    return name


def _parse_spec(spec: str, display_name: str) -> Address:
    local, at, domain = spec.rpartition("@")
    if not at:
        raise ValueError("There is no @ in it. Write an address like name@example.com.")
    _check_local(local)
    ascii_domain = _ascii_domain(domain)
    if len(local.encode()) + 1 + len(ascii_domain) > MAX_SPEC:
        raise ValueError(f"The address is longer than {MAX_SPEC} characters.")
    return Address(local, domain, ascii_domain, display_name)


def _check_local(local: str) -> None:
    if not local:
        raise ValueError("There is nothing before the @. Write an address like name@example.com.")
    if "@" in local:
        raise ValueError("There is more than one @ in it. Write addresses like name@example.com, separated by commas.")
    if not _DOT_ATOM.fullmatch(local) or "=?" in local or not (local.isascii() or _are_letters(local)):
        raise ValueError(
            "The part before the @ has a character that an address cannot have (such as a blank, a comma, a colon or a "
            "bracket), or a dot in the wrong place."
        )
    if len(local.encode()) > MAX_LOCAL:
        raise ValueError(f"The part before the @ is longer than {MAX_LOCAL} characters.")


def _are_letters(local: str) -> bool:
    # Letters, marks and digits of any script: no full-width @ or dot that some server would fold into the ASCII one.
    return all(one.isascii() or unicodedata.category(one)[0] in "LMN" for one in local)


def _ascii_domain(domain: str) -> str:
    if domain.startswith("["):
        raise ValueError("An IP address cannot stand after the @. Write the domain's name, like name@example.com.")
    if len(domain) > MAX_DOMAIN:
        raise ValueError(f"The part after the @ is longer than {MAX_DOMAIN} characters.")
    name = domain.lower()
    if not domain.isascii() or "xn--" in name:
        try:
            name = idna.encode(domain, uts46=True).decode("ascii").lower()
        except UnicodeError:  # IDNAError is one
            raise ValueError("The part after the @ is not a domain. Check its spelling.") from None
    labels = name.split(".")
    if len(labels) < 2:
        raise ValueError("The part after the @ has no dot. Write the whole domain, like name@example.com.")
    if len(name) > MAX_DOMAIN or not all(map(LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValueError("The part after the @ is not a domain. Check its spelling.")
    return name


def _in_letters(ascii_domain: str) -> str:
    """The name in U-labels; as it is when they could not be read back.

    IDNA permits zero width joiners between some letters (RFC 5892 A.1, A.2), which are refused here: a name with them
    is told from one without by its A-labels only.
    """
    if "xn--" not in ascii_domain:
        return ascii_domain
    try:
        name = idna.decode(ascii_domain)
        return name if unseen_character(name) is None and _ascii_domain(name) == ascii_domain else ascii_domain
    except ValueError:  # IDNAError is one
        return ascii_domain
