"""Run the job: `python -m train_jobs.score`; `run` says what it does."""

from __future__ import annotations

import sys

from train_jobs.score.run import main

if __name__ == "__main__":
    main(sys.argv[1:])
