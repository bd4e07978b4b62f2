"""What goes past Python to standard error is kept off a command's, and what Python says stays there."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sentiment.errors import InvalidInput
from sentiment.settings import Settings
from train_jobs.runtime.ray_log import ray_log_aside, stdout_aside

_SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from train_jobs.runtime.ray_log import ray_log_aside
from sentiment.settings import Settings
with ray_log_aside(Settings(home=Path(sys.argv[1]))):
    os.write(2, b"core_worker.cc: a log line\\n")
    subprocess.run(["sh", "-c", "echo of a child >&2"], check=True)
    print("for the user", file=sys.stderr)
os.write(2, b"afterwards\\n")
print("at the end", file=sys.stderr)
"""
_DEATH = """
import os, resource, sys
from pathlib import Path
from train_jobs.runtime.ray_log import ray_log_aside
from sentiment.settings import Settings
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with ray_log_aside(Settings(home=Path(sys.argv[1]))):
    os.write(2, b"Fatal: why it died\\n")
    os.abort()
"""


def test_what_goes_past_python_is_kept_in_a_file_and_the_rest_stays_where_it_was(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stderr == "for the user\nafterwards\nat the end\n"
    assert (tmp_path / "logs" / "ray.log").read_text() == "core_worker.cc: a log line\nof a child\n"


def test_the_last_words_of_a_process_that_dies_are_in_the_log_behind_those_of_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "ray.log").write_text("earlier\n")
    died = subprocess.run([sys.executable, "-c", _DEATH, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (died.returncode, died.stderr) == (-signal.SIGABRT, "")
    assert (tmp_path / "logs" / "ray.log").read_text() == "earlier\nFatal: why it died\n"


def test_a_command_that_is_refused_before_anything_is_logged_leaves_no_log(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput), ray_log_aside(Settings(home=tmp_path)):
        raise InvalidInput("no such data", "data")
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_log_stays_when_there_is_something_in_it(tmp_path: Path) -> None:
    for line in (b"a log line\n", b""):
        with ray_log_aside(Settings(home=tmp_path)):
            os.write(2, line)
    assert (tmp_path / "logs" / "ray.log").read_text() == "a log line\n"


def test_an_empty_log_stays_while_a_process_that_inherited_it_or_another_command_may_write_to_it(
    tmp_path: Path,
) -> None:
    log = tmp_path / "logs" / "ray.log"
    with ray_log_aside(Settings(home=tmp_path)):
        child = subprocess.Popen(["sh", "-c", "read _; echo late >&2"], stdin=subprocess.PIPE)
        with ray_log_aside(Settings(home=tmp_path)):
            pass
        assert log.exists()
    assert log.exists()
    child.communicate(b"\n")
    assert log.read_text() == "late\n"


def test_a_home_that_is_made_for_the_log_is_for_this_user_only(tmp_path: Path) -> None:
    with ray_log_aside(Settings(home=tmp_path / "home")):
        pass
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("home", "home/logs")] == [0o700, 0o700]


def test_a_home_that_cannot_be_written_is_no_error_and_keeps_the_terminal_clean(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with ray_log_aside(Settings(home=tmp_path / "file")):
        os.write(2, b"a log line\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_what_a_driver_prints_on_standard_output_goes_where_standard_error_does(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with stdout_aside():
        print("(raylet) A worker died")
    print("the outcome")
    assert capfd.readouterr() == ("the outcome\n", "(raylet) A worker died\n")
