"""Run the benchmarks and write docs/performance.md.

python -m bench                all of them, in about ten minutes
python -m bench full           all of them, thoroughly
python -m bench full path      one of them (render, send, path, scale), thoroughly
python -m bench report         only write docs/performance.md anew from what was found last
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from bench import path, render, report, scale, send

BENCHES: Final[dict[str, Callable[..., None]]] = {
    "render": render.main,
    "send": send.main,
    "path": path.main,
    "scale": scale.main,
}
SCRIPTS: Final = ("console", "fairness", "slow_lanes")
"""What prints its own findings: `python -m bench.fairness`, with options of its own."""


def main(words: list[str]) -> int:
    """The exit code: 2 for a word that is none of ours, 1 when a benchmark failed."""
    unknown = [word for word in words if word not in (*BENCHES, *SCRIPTS, "full", "report", "-v")]
    if unknown:
        print(
            f"There is no benchmark {unknown[0]}: say {', '.join((*BENCHES, *SCRIPTS))}, report, and full or nothing."
        )
        return 2
    scripts = [word for word in words if word in SCRIPTS]
    for name in scripts:
        subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
    if scripts and not set(words) & {*BENCHES, "report"}:
        return 0
    chosen = [name for name in BENCHES if name in words] or ([] if "report" in words else list(BENCHES))
    failed = 0
    for name in chosen:
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        try:
            BENCHES[name](full="full" in words)
        except Exception as error:
            if "-v" in words:
                raise
            failed = 1
            print(f"{name} failed: {error!r} (-v shows more)", flush=True)
        print(f"   {time.monotonic() - begin:.0f} s", flush=True)
    report.write()
    print("Written: docs/performance.md")
    return failed


def _end(_number: int, _frame: FrameType | None) -> None:
    """Ends all that was started, and takes the folders along."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
