"""Distil a small student from a trained teacher: its logits, the labels, and further texts without any.

python -m train_jobs.distill --teacher models:/sentiment/7 --data tweets@3 --model student --unlabelled texts.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from train_jobs.train.command_line import run_from_command_line


def main(arguments: Sequence[str]) -> None:
    """Run the job of the command line; write what it made to standard output."""
    run_from_command_line("distill", __doc__ or "", arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
