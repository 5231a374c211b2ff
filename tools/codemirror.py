"""Bundle CodeMirror for the template editor of the console: one file, with the licences of all that is in it.

Run: python tools/codemirror.py [--check]

Needs npm. Versions are those of tools/codemirror/package-lock.json; the same lock file gives the same bundle. Nobody
needs this to run the console: the bundle is in the repository. `--check` writes nothing and fails when the bundle
there is another one. After an update, write versions and SHA-256 into static/vendor/README.md: they are printed.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = ROOT / "tools" / "codemirror"
BUILD: Final = ROOT / "build" / "codemirror"
VENDOR: Final = ROOT / "src" / "ringpost" / "console" / "static" / "vendor" / "codemirror"


def main() -> int:
    """The exit code: 1 when `--check` found another bundle."""
    install()
    made = {"codemirror.min.js": bundle(), "LICENSE": licences().encode()}
    stale = [name for name, content in made.items() if not _same(VENDOR / name, content)]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"{name} is not what the lock file gives. Run: python tools/codemirror.py\n")
        return 1 if stale else 0
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (VENDOR / name).write_bytes(made[name])
        sys.stdout.write(f"Wrote {(VENDOR / name).relative_to(ROOT)}\n")
    sys.stdout.write(f"{', '.join(f'{name} {version}' for name, version, _ in packages())}\n")
    sys.stdout.write(f"SHA-256 {hashlib.sha256(made['codemirror.min.js']).hexdigest()}\n")
    return 0


def install() -> None:
    """Put what the lock file names into the build folder; nothing that comes with it is run but esbuild."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "editor.js"):
        shutil.copy(SOURCES / name, BUILD / name)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def bundle() -> bytes:
    """One minified ES module."""
    options = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8", "--legal-comments=none")
    return _run("npx", "--no-install", "esbuild", "editor.js", *options).encode()


def packages() -> list[tuple[str, str, str]]:
    """Name, version and licence text of every package that goes into the bundle, by name."""
    found: list[tuple[str, str, str]] = []
    for path, entry in json.loads((BUILD / "package-lock.json").read_text("utf-8"))["packages"].items():
        if path and not entry.get("dev"):
            folder = BUILD / path
            found.append(
                (path.removeprefix("node_modules/"), entry["version"], (folder / "LICENSE").read_text("utf-8"))
            )
    return sorted(found)


def licences() -> str:
    """The licence of every package, each text once."""
    by_text: dict[str, list[str]] = {}
    for name, version, text in packages():
        by_text.setdefault(text.strip(), []).append(f"{name} {version}")
    return "\n\n".join(f"{', '.join(names)}\n\n{text}" for text, names in by_text.items()) + "\n"


def _same(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=BUILD, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
