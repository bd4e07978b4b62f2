"""Run a measurement in a process of its own, so that its memory and speed are its own and not the caller's.

The child is `python -m MODULE`; it reads one JSON object from standard input and writes one to standard output.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import sentiment
from sentiment.errors import Unavailable

_ROOT: Final = Path(sentiment.__file__).parents[1]
_STATUS: Final = Path("/proc/self/status")
_PEAK: Final = "VmHWM:"
_KIB: Final = 1024


def run_in_child(module: str, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Run a module that `answer_parent` makes a child, and return its answer.

    Raises:
        Unavailable: it failed, with what it wrote last, or took longer than `timeout_s`.
    """
    command = [sys.executable, "-m", module]
    try:
        completed = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, cwd=_ROOT, timeout=timeout_s, check=True
        )
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(f"{module} was not done after {timeout_s:.0f} s; give it fewer texts.") from exc
    except subprocess.CalledProcessError as exc:
        last = exc.stderr.strip().rpartition("\n")[2]
        raise Unavailable(f"{module} failed with status {exc.returncode}: {last or 'killed, out of memory?'}") from exc
    answer: dict[str, Any] = json.loads(completed.stdout)
    return answer


def answer_parent(work: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Be the child: read the request, work, write the answer."""
    sys.stdout.write(json.dumps(work(json.load(sys.stdin))) + "\n")


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held at once (resident set).

    Linux's `ru_maxrss` counts what the process was forked from; the kernel's own high-water mark does not.
    """
    if _STATUS.is_file():
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * _KIB for line in lines if line.startswith(_PEAK))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB
