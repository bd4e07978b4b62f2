"""Run the supervisor of a local platform: `python -m serve_app.supervisor [--replace]`."""

from __future__ import annotations

import sys

from serve_app.supervisor.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
