"""Keep a server running while any process holds the shared lock of FOLDER/users.lock.

python train_jobs/runtime/server_keeper.py FOLDER COMMAND...

It goes into the background and holds FOLDER/server.lock until it ends. The operating system releases the locks of a
killed process, so that the number of users is always right. It imports nothing of the project, and so runs anywhere.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

USERS: Final = "users.lock"
SERVER: Final = "server.lock"

_POLL_S: Final = 0.2
_GRACE_S: Final = 10.0
#: Asks the system for SIGTERM when the parent dies (PR_SET_PDEATHSIG), then becomes the requested program.
_END_WITH_PARENT: Final = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execvp(sys.argv[1], sys.argv[1:])"


def locked(file: IO[Any], how: int) -> bool:
    """Lock `file` if that is possible at once, and return whether it was; `how` is `fcntl.LOCK_SH` or `LOCK_EX`."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(arguments: Sequence[str]) -> None:
    """Go into the background and keep the server there."""
    folder, command = Path(arguments[0]), arguments[1:]
    with (folder / SERVER).open("ab") as server_lock, (folder / USERS).open("ab") as users:
        fcntl.flock(server_lock, fcntl.LOCK_EX)
        if os.fork():
            os._exit(0)  # the child has the locks now
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        server = subprocess.Popen(_ending_with_this_process(command), start_new_session=True)
        try:
            while server.poll() is None and not locked(users, fcntl.LOCK_EX):
                time.sleep(_POLL_S)
        finally:
            _end(server)  # a new user meanwhile waits for the lock


def _ending_with_this_process(command: Sequence[str]) -> list[str]:
    """Return the command in a form that ends when this process dies, even if killed; on Linux only."""
    return [*((sys.executable, "-c", _END_WITH_PARENT) if sys.platform == "linux" else ()), *command]


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server's session, its workers too."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(_GRACE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    main(sys.argv[1:])
