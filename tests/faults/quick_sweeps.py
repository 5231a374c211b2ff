"""Runs Ringpost with workers that look for the lost twice a second, and at their host, so that tests need not wait."""

import sys
from functools import partial

from ringpost import worker
from ringpost.cli import main
from ringpost.worker import HostWatch, WorkerOptions

if __name__ == "__main__":
    worker.WorkerOptions = partial(WorkerOptions, sweep_s=0.5)  # pyright: ignore[reportAttributeAccessIssue]
    worker.HostWatch = partial(HostWatch, interval_s=0.5)  # pyright: ignore[reportAttributeAccessIssue]
    sys.exit(main())
