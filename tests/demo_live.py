"""Streams to watch: a platform of its own takes in eight weeks of a made-up town, and files of yours if you name them.

`make demo-live`, or `make demo-live ARGS="--tweets FILE"` for a file in the form of Sentiment140 (target, id, date,
flag, user, text, without a header). It prints the page's address, tells how the streams go, and ends with Ctrl+C or,
with `--once`, when they are finished. Nothing of it stays.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sentiment.client.http import UndertoneClient
from tests.demo_texts import PLACE
from tests.running_platform import RunningPlatform, command, running

_TWEETS: Final = ("--columns", "target,id,date,flag,user,text", "--text-column", "text", "--time-column", "date")
_TWEETS_MORE: Final = ("--author-column", "user", "--id-column", "id", "--speed", "max", "--limit", "20000")
_TOWN: Final = ("--time-column", "created_at", "--author-column", "author", "--topic-column", "topic")
_TOWN_MORE: Final = ("--id-column", "id", "--label-column", "label", "--speed", "86400x")
_OVER: Final = ("finished", "failed", "stopped")
_LOOK_S: Final = 2.0


def stream(platform: RunningPlatform, file: Path, name: str, *options: str) -> None:
    """Have the platform take in a file, which is put where it looks for files."""
    folder = Path(platform.environment["UNDERTONE_HOME"]) / "files"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(file, folder / f"{name}.csv")
    command(platform.environment, "ingest", "csv", f"{name}.csv", "--name", name, *options, "--background")


def watch(platform: RunningPlatform, *, once: bool) -> bool:
    """Tell how the streams go until Ctrl+C, or their end; return whether none failed."""
    with UndertoneClient(platform.url) as client:
        while True:
            streams = client.ingests()
            line = ", ".join(f"{each['name']} {each['state']}: {each['kept']:,} texts" for each in streams)
            print(f"\r{line}   ", end="", flush=True)
            if once and all(each["state"] in _OVER for each in streams):
                print()
                return all(each["state"] == "finished" for each in streams)
            time.sleep(_LOOK_S)


def main() -> int:
    """Show the streams; return 0 unless one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo_live", description=__doc__)
    parser.add_argument("--tweets", type=Path, help="a file in the form of Sentiment140")
    parser.add_argument("--once", action="store_true", help="end when the streams are finished")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the platform goes in any case
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell runs it in the background
    with TemporaryDirectory() as scratch:
        print("Starting a platform of its own ...", flush=True)
        with running(Path(scratch) / "home") as platform:
            stream(platform, PLACE, "harwick-bay", *_TOWN, *_TOWN_MORE)
            if chosen.tweets:
                stream(platform, chosen.tweets, "tweets", *_TWEETS, *_TWEETS_MORE)
            print(f"Watch them on the tab Live of {platform.ui_url}, and ask about them on Explore.", flush=True)
            try:
                return 0 if watch(platform, once=chosen.once) else 1
            except KeyboardInterrupt:
                return 0


if __name__ == "__main__":
    sys.exit(main())
