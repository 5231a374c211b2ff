"""What the code has, the documentation has too; and its links lead somewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ringpost.api.app import create_app
from ringpost.api.problems import CODES
from ringpost.config import Config
from ringpost.domain.catalogue import ALIASES, CATALOGUE
from ringpost.domain.deliveries import Party, Stage, State, Verdict
from ringpost.domain.events import SkipReason
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.usecases.room import Room
from ringpost.worker import metrics as _worker_metrics  # registers what the worker counts

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WORKER = _worker_metrics.__name__
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_pages_made_from_the_code_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "docs.py", "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", Config.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert Config.model_fields[name].description
    assert f"`RINGPOST_{name.upper()}`" in text("configuration.md")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_event_type_and_its_variables_are_documented(name: str) -> None:
    section = text("events.md").partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    assert [variable.name for variable in CATALOGUE[name].variables if f"| `{variable.name}` |" not in section] == []


@pytest.mark.parametrize("name", SYSTEM_CATALOGUE)
def test_every_event_type_of_the_system_and_its_variables_are_documented(name: str) -> None:
    section = text("events.md").partition(f"\n### {name}\n")[2].partition("\n##")[0]

    assert [one.name for one in SYSTEM_CATALOGUE[name].variables if f"| `{one.name}` |" not in section] == []


def test_every_other_name_of_a_variable_is_documented() -> None:
    assert [alias for alias in ALIASES if f"| `{alias}` |" not in text("events.md")] == []


@pytest.mark.parametrize("name", CODES)
def test_every_error_code_is_documented_with_its_status(name: str) -> None:
    assert f"| `{name}` | {CODES[name].status.value} |" in text("api.md")


@pytest.mark.parametrize("words", [SkipReason, State, Stage, Party, Verdict], ids=lambda words: words.__name__)
def test_every_word_of_the_domain_is_in_the_glossary(words: type[SkipReason | State | Stage | Party | Verdict]) -> None:
    glossary = text("glossary.md")

    assert [word.value for word in words if word.value not in glossary] == []


async def test_every_metric_is_documented(room: Room) -> None:
    transport = httpx.ASGITransport(create_app(room))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        scraped = (await client.get("/metrics")).text
    names = [name for name in re.findall(r"^# TYPE (ringpost_\w+)", scraped, re.MULTILINE) if "_created" not in name]

    assert "ringpost_worker_errors_total" in names
    assert [name for name in names if not re.search(rf"`{name}[`{{]", text("operating.md"))] == []


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if not target.startswith(("http://", "https://")):
                yield page, target


@pytest.mark.parametrize(("page", "target"), list(links()), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_every_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    aim = (page.parent / path).resolve() if path else page

    assert aim.exists()
    if anchor:
        assert anchor in [slug(title) for title in re.findall(r"^#+ (.*)$", aim.read_text("utf-8"), re.MULTILINE)]


def slug(title: str) -> str:
    """The anchor of a heading, as forges make it."""
    return re.sub(r"[^\w -]", "", title.strip().lower()).replace(" ", "-")


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    lists = re.findall(r"^(?:dependencies|demo|telemetry|dev) = \[(.*?)\]$", project, re.DOTALL | re.MULTILINE)
    named = {name for block in lists for name in re.findall(r'"([a-z0-9-]+)', block)} - {"ringpost"}

    assert len(named) > 25
    assert [name for name in sorted(named) if not re.search(rf"(?<![\w-]){name}(?![\w-])", contributing)] == []


def test_every_decision_is_in_the_list() -> None:
    listed = text("adr/README.md")

    assert [page.name for page in (DOCS / "adr").glob("0*.md") if page.name not in listed] == []


@pytest.mark.parametrize("name", ["make setup", "make demo", "ringpost serve"])
def test_the_readme_has_what_a_newcomer_needs(name: str) -> None:
    assert name in (ROOT / "README.md").read_text("utf-8")


def named_tests() -> Iterator[tuple[str, str]]:
    """The files of tests in the last column of faults.md, each with words that the name of one of its tests has."""
    for row in re.findall(r"^\|.*\| (.*`.*) \|$", text("faults.md"), re.MULTILINE):
        file = ""
        for part in re.split(r"[;,] ", row):
            if named := re.search(r"`([\w/]+)`", part):
                file = named[1] if "/" in named[1] else f"{file.rpartition('/')[0]}/{named[1]}"
            words = part.rpartition("`")[2].lstrip(": ") if named else part
            if file:
                yield file, words.lower().replace(" ", "_")


@pytest.mark.parametrize(("file", "words"), list(named_tests()))
def test_every_test_that_the_page_of_faults_names_is_there(file: str, words: str) -> None:
    source = (ROOT / "tests" / f"{file}.py").read_text("utf-8").lower()

    assert re.search(rf"^\s*(async )?def test_\w*{words}", source, re.MULTILINE)
