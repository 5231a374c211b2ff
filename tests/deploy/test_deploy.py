"""What is shipped for running Ringpost fits Ringpost: containers, units, dashboard, alerts."""

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any, cast

import promql_parser
import pytest
import typer
import yaml
from prometheus_client import REGISTRY
from tests.left_out import left_out

from ringpost.api.metrics import get_metrics
from ringpost.cli import app as command_line
from ringpost.config import Config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "ringpost.json").read_text("utf-8"))
ALERTS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
COMMANDS = set(cast("Any", typer.main.get_command(command_line)).commands)


def queries() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


@pytest.fixture(scope="session")
def documented() -> dict[str, set[str]]:
    """The series of docs/operating.md with their labels; another test holds that page against what is shown."""
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    known: dict[str, set[str]] = {}
    for line in page.splitlines():
        if line.startswith("| `ringpost_"):
            names, kind = line.split(" | ")[:2]
            for name, labels in re.findall(r"`(ringpost_\w+)(?:\{([\w,]+)\})?`", names):
                own = set(labels.split(",")) if labels else set[str]()
                suffixes = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
                known |= {name + suffix: own | ({"le"} if suffix == "_bucket" else set()) for suffix in suffixes}
    return known


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_query_parses_and_asks_for_series_that_there_are(
    where: str, query: str, documented: dict[str, set[str]]
) -> None:
    promql_parser.parse(query)  # raises

    asked = re.findall(r"(ringpost_\w+)(?:\{([^}]*)\})?", query)
    assert asked, where
    for name, matchers in asked:
        assert name in documented
        assert set(re.findall(r"(\w+)\s*[=!]~?", matchers)) <= documented[name]
    grouped = {label for found in re.findall(r"\bby \(([^)]*)\)", query) for label in found.split(", ")}
    assert grouped <= {label for name, _ in asked for label in documented[name]}


def test_what_must_be_known_has_a_panel_and_an_alert() -> None:
    shown = " ".join(query for _, query in queries())

    for name in ("events_accepted", "deliveries_ended", "attempts", "time_to_sent", "lanes_on_hold", "worker_errors",
                 "workers_lost", "deliveries_set_aside"):  # fmt: skip
        assert f"ringpost_{name}" in shown
    alerts = {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}
    assert {"RingpostEmergencyWaits", "RingpostNothingIsSent", "RingpostWorkerErrors", "RingpostLanesOnHold"} <= alerts


def test_when_nothing_runs_at_all_there_is_an_alert() -> None:
    expressions = {rule["alert"]: rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}

    assert expressions["RingpostNoWorker"] == "(sum(ringpost_workers) or vector(0)) == 0", (
        "a series that is gone is not 0"
    )


def test_what_alerts_ask_the_rise_of_is_there_before_the_first_time() -> None:
    """A counter that appears with its first value has not risen for Prometheus."""
    show = "import ringpost.worker, ringpost.api.metrics, prometheus_client as p; print(p.generate_latest().decode())"
    shown = subprocess.check_output([sys.executable, "-c", show], text=True)
    risen = r"(?:rate|increase)\((\w+)(?:\{([^}]*)\})?"

    asked = [
        found for group in ALERTS["groups"] for rule in group["rules"] for found in re.findall(risen, rule["expr"])
    ]
    assert len(asked) >= 4
    for name, matcher in asked:
        assert re.search(rf"^{name}(?:\{{.*{re.escape(matcher)}.*\}})? 0\.0$", shown, re.MULTILINE), name


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_no_series_is_about_a_tenant_or_a_recipient() -> None:
    assert get_metrics  # registers what the API counts
    labels = {
        label
        for family in REGISTRY.collect()
        if family.name.startswith("ringpost_")
        for sample in family.samples
        for label in sample.labels
    }

    assert not labels & {"tenant", "recipient", "domain", "server", "lane", "queue"}


def test_the_compose_file_is_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_names_what_there_is() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        for variable in service["environment"]:
            assert (
                not variable.startswith("RINGPOST_")
                or variable.removeprefix("RINGPOST_").lower() in Config.model_fields
            )
        if name != "database":
            assert service["command"][0] in COMMANDS
            assert service["read_only"] is True
            settings = {secret.removeprefix("ringpost_") for secret in service["secrets"]}
            assert settings <= set(Config.model_fields)


def test_no_secret_stands_in_the_compose_file_or_the_image() -> None:
    for file in (DEPLOY / "compose.yaml", ROOT / "Dockerfile"):
        assert not re.search(r"(?i)(password|token|keys)\s*[:=]\s*[^\s/.]*[a-z0-9]{8}", file.read_text("utf-8"))


def test_the_secrets_that_are_made_are_good_ones_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = shutil.copy(DEPLOY / "secrets.sh", tmp_path)
    there_is = tmp_path / "bin"  # and no Python: a machine of containers may have none
    there_is.mkdir()
    for name in ("base64", "cat", "chmod", "dirname", "head", "mkdir", "sh", "tr"):
        (there_is / name).symlink_to(shutil.which(name) or name)
    subprocess.run(["sh", script], env={"PATH": str(there_is)}, check=True, capture_output=True)
    folder = tmp_path / "secrets"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    subprocess.run(["sh", script], check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    config = Config(secrets_dir=folder)

    assert {file.name: file.read_text() for file in folder.iterdir()} == made
    assert set(made) == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert config.database_url == f"postgresql://ringpost:{made['database_password'].strip()}@database/ringpost"
    assert config.keys is not None
    assert len(base64.b64decode(config.keys.get_secret_value().removeprefix("first:"))) == 32
    assert config.admin_token is not None


def test_the_image_runs_what_there_is_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    by_word = {line.split()[0]: line for line in lines if line and not line.startswith("#")}
    variables = set(re.findall(r"RINGPOST_(\w+)=", by_word["ENV"]))

    assert json.loads(by_word["CMD"].removeprefix("CMD "))[0] in COMMANDS
    assert json.loads(by_word["ENTRYPOINT"].removeprefix("ENTRYPOINT ")) == ["ringpost"]
    assert by_word["USER"] == "USER 10001:10001"
    assert by_word["STOPSIGNAL"] == "STOPSIGNAL SIGTERM"
    assert {name.lower() for name in variables} <= set(Config.model_fields)
    assert all(
        "--require-hashes" in line or "--no-deps" in line
        for line in "\n".join(lines).split("&&")
        if "pip install" in line
    )
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", "\n".join(lines), re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_start_what_there_is_and_keep_it_in_its_place(unit: Path) -> None:
    parser = ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text("utf-8"))
    service = parser["Service"]

    assert service["ExecStart"].split()[1] in COMMANDS
    assert service["Type"] == "notify"
    assert service["User"] == "ringpost"
    assert service["RestartPreventExitStatus"] == "78"
    for setting, value in {"ProtectSystem": "strict", "NoNewPrivileges": "yes", "StateDirectoryMode": "0700"}.items():
        assert service[setting] == value
    variables = re.findall(r"RINGPOST_(\w+)=", unit.read_text("utf-8"))
    assert {name.lower() for name in variables} <= set(Config.model_fields)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    """Where there is a systemd to ask; the program is put where the test may put one."""
    asked = shutil.which("systemd-analyze")
    if asked is None:
        left_out("systemd units, because there is no systemd-analyze")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text("utf-8").replace("/opt/ringpost/bin/ringpost", sys.executable))
    done = subprocess.run([str(asked), "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)

    assert [line for line in done.stderr.splitlines() if "ringpost" in line] == []
