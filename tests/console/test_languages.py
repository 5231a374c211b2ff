"""Every text can be had in German, and everybody gets the language that they want."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from tests.console.conftest import ClientOf, csrf_of
from tests.console.leftovers import is_english, words_of

from ringpost.console.doctor_words import FACTS, TO_DO
from ringpost.console.languages import FOLDER, choose_language, languages
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.domain.traps import TRAPS
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.room import Room

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ringpost"
SAID_BY = [
    *(SOURCE / "domain" / f"{name}.py" for name in ("access", "addresses", "fields", "forms", "hosts", "mail_servers")),
    *(SOURCE / "domain" / f"{name}.py" for name in ("oauth", "server_rules", "templates", "tenant_files", "tenants")),
    *(SOURCE / "storage" / f"{name}.py" for name in ("access", "deliveries", "templates", "tenants")),
    *sorted((SOURCE / "usecases").glob("*.py")),
    *(SOURCE / "transports" / f"{name}.py" for name in ("oauth/keys", "pacing", "providers", "smtp/pool", "web")),
    SOURCE / "worker" / "loop.py",
    SOURCE / "limits.py",
]
"""Where what people read in the console is written."""
ONLY_PROGRAMS = re.compile(
    r"A token takes|The token is|An API key does not log out|There is no such tenant any more|was accepted before with|"
    r"To change it, post to|the format must be|Shorten the variables, or use"
)
"""Answers of routes that the console does not have."""
RAISED = {
    *("FieldError", "Forbidden", "NotFound", "NotConfigured", "PasswordRequired", "AlreadyExists", "RateLimited"),
    *("Unauthorized", "WrongState", "ValueError", "wrong"),
}
RUN = "Run `make messages`, then translate what is empty in"


def test_every_text_is_extracted() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "messages.py", "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, f"{done.stderr}{RUN} {FOLDER}"


def test_what_is_said_within_a_formatted_text_is_extracted_too() -> None:
    with (FOLDER / "ringpost.pot").open("rb") as file:
        extracted = {str(text.id) for text in read_po(file)}

    said = {text for path in (SOURCE / "console").glob("*.py") for text in _said_in(path)}

    assert len(said) > 300
    assert said - extracted == set()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/LC_MESSAGES/*.po")), ids=lambda path: path.parts[-3])
def test_every_text_is_translated(path: Path) -> None:
    with path.open("rb") as file:
        catalogue = read_po(file, path.parts[-3])

    open_ones = [text.id for text in catalogue if text.id and (text.fuzzy or not _said(text.string))]
    assert open_ones == [], f"{RUN} {path}"
    assert [str(fault) for text in catalogue for fault in text.check(catalogue)] == []


def test_whatever_is_said_to_people_can_be_said_in_german() -> None:
    german = languages()["de"]

    untold = [said for path in SAID_BY for said in _messages(path) if german.say(said) == said]

    assert [said for said in untold if not ONLY_PROGRAMS.search(said)] == []


def test_every_trap_and_every_step_of_the_doctor_is_explained_in_german() -> None:
    german = languages()["de"]
    told = [said for trap in TRAPS.values() for said in (trap.title, trap.explanation, trap.what_to_do) if said]
    steps = {said for path in (SOURCE / "transports" / "doctor").glob("*.py") for said in _sentences(path)}
    steps = {*steps, "It offers login with PLAIN, STARTTLS, mails of up to 9 bytes."} - {"It offers 7."}
    steps -= {"There is no doctor here."}

    signs = [trap.sign for trap in TRAPS.values() if words_of([trap.sign])]  # the others are only codes and quotations

    assert len(signs) > 80
    assert [said for said in signs if german.say(said) == said or is_english(german.say(said))] == []
    assert len(steps) > 20
    assert [said for said in (*told, *TO_DO.values(), *steps) if german.say(said) == said] == []


def test_whatever_the_doctor_tells_experts_has_a_name_in_german() -> None:
    german = languages()["de"]
    told = {name for path in (SOURCE / "transports" / "doctor").glob("*.py") for name in _keys(path)}

    assert told - {"code", "enhanced_code", "reply"} == set(FACTS)
    assert {said for said in FACTS.values() if german.say(said) == said and not said.isupper()} == {"Port"}


def test_values_in_a_message_are_kept_and_fields_of_the_api_are_not() -> None:
    english, german = languages()["en"], languages()["de"]
    wrong = "There is no @ in it. Write an address like name@example.com. Also wrong: `<b>`, `50%(x)s`"

    assert german.say("At most 15 addresses are allowed. Leave some out.").startswith("Höchstens 15 Adressen")
    assert german.say(wrong).startswith("Es fehlt das @.")
    assert german.say(wrong).endswith("Auch falsch: `<b>`, `50%(x)s`")
    assert english.say(wrong) == wrong
    assert "set auth" not in english.say("The password is missing. Fill it in, or set auth to DISABLE.")
    assert english.say("100 %") == german.say("100 %") == "100 %"


@pytest.mark.parametrize(
    ("wanted", "accepted", "tag"),
    [
        (("de", "en"), "en", "de"),
        ((None, "de-CH"), "en", "de"),
        ((None, None), "fr, de-AT;q=0.8, en;q=0.5", "de"),
        ((None, None), "de;q=0, fr", "en"),
        (("xx", "../../etc"), ";;q=x,,", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_tenants_else_the_browsers(
    wanted: tuple[str | None, ...], accepted: str, tag: str
) -> None:
    assert choose_language(wanted, accepted).tag == tag


async def test_pages_speak_the_tenants_language_until_another_is_chosen(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="Europe/Berlin", locale="de"))
    client = await client_of(Role.TENANT_ADMIN)
    german = (await client.get("/console/account")).text
    assert "Kennwort ändern" in german
    assert '<html lang="de"' in german
    form = {"csrf": await csrf_of(client), "language": "en", "next": "/console/account"}

    await client.post("/console/preferences", data=form)

    assert "Change the password" in (await client.get("/console/account")).text


async def test_times_are_in_the_tenants_zone(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="Asia/Kolkata"))

    client = await client_of(Role.TENANT_ADMIN)

    page = (await client.get("/console/account")).text

    # The clock of these tests stands at 2027-01-15T08:00:00Z.
    assert '<time datetime="2027-01-15T08:00:00Z"' in page
    assert "15 Jan 2027, 13:30<" in page

    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="Asia/Kolkata", locale="de"))

    assert "15.01.2027, 13:30<" in (await client.get("/console/account")).text


def _said(string: Any) -> bool:
    parts: list[str] = [string] if isinstance(string, str) else list(string)
    return all(parts)


def _said_in(path: Path) -> Iterator[str]:
    """The texts that stand in the calls of `say` and `N_`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="say") | ast.Name(id="say" | "N_"), args=[ast.Constant(value=str(text)), *_]
            ):
                yield text
            case _:
                pass


def _messages(path: Path) -> Iterator[str]:
    """What is raised or hinted at in a file, with 7 for every value."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        texts = node.args[1 if called in ("FieldError", "wrong") else 0 :][:1] if called in RAISED else []
        texts += [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
        for text in texts:
            yield from _texts(named.get(text.id, text) if isinstance(text, ast.Name) else text)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
        yield "".join(map(str, parts))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value


def _sentences(path: Path) -> Iterator[str]:
    """Whole sentences in a file, with 7 for every value, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    silent |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in silent:
            yield from (said for said in _texts(node) if " " in said.strip() and said.endswith(".") and said[0] != " ")


def _keys(path: Path) -> Iterator[str]:
    """Names of what a file gathers as data."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
