"""What import-linter cannot ask for (the rest is in pyproject.toml): SQL is written in `storage` and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import ringpost

SOURCE = Path(ringpost.__file__).parent
PASSED_ON = {"Connection"}
"""What others take of SQLAlchemy: to hand it to functions of `storage`."""


def taken_of_sqlalchemy(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "sqlalchemy")
        elif isinstance(node, ast.Attribute) and node.attr in {"execute", "scalar", "scalars", "exec_driver_sql"}:
            yield f".{node.attr}"


def test_sql_is_in_storage_only() -> None:
    others = [path for path in SOURCE.rglob("*.py") if SOURCE / "storage" not in path.parents]

    assert len(others) > 200
    found = {str(path.relative_to(SOURCE)): set(taken_of_sqlalchemy(path)) - PASSED_ON for path in others}
    assert {path: names for path, names in found.items() if names} == {}
