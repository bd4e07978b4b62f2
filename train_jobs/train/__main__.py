"""Train a model on a dataset version with Ray Train, tracked in MLflow, and make a version of the best checkpoint.

python -m train_jobs.train --data tweets@3 --model minilm --set epochs=3 --workers 2
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from train_jobs.train.command_line import run_from_command_line


def main(arguments: Sequence[str]) -> None:
    """Run the job of the command line; write what it made to standard output."""
    run_from_command_line("train", __doc__ or "", arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
