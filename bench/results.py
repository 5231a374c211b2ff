"""What the benchmarks found, one JSON file each in bench/results; docs/performance.md is written from them alone."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import machine

FOLDER: Final = Path(__file__).parent / "results"


def save(name: str, found: dict[str, Any], *, steal: machine.Steal, full: bool) -> None:
    """Keep what one benchmark found, with the day and the machine."""
    FOLDER.mkdir(exist_ok=True)
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine.description(),
        "cores": machine.cores().words,
        "file_system": machine.file_system(),
        "steal": round(steal.share(), 4),
        "mode": "full" if full else "quick",
    }
    text = json.dumps({**about, **found}, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def load(name: str) -> dict[str, Any] | None:
    """What it found last; None when it never ran."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def circumstances(found: dict[str, Any]) -> str:
    """When and where, in a sentence for the report."""
    return (
        f"{found['date']}, {found['machine']}; {found['cores']}; {found['file_system']}; CPU time stolen by other "
        f"machines during the run: {found['steal']:.1%}; {found['mode']} run."
    )
