"""What an ingest remembers: whole or not at all, for one process at a time, for one set of options."""

from __future__ import annotations

import json

import pytest

from sentiment.errors import Conflict, InvalidInput
from sentiment.ingest import IngestTotals, open_checkpoint, require_name
from sentiment.ingest.checkpoint import is_running, read_state

OPTIONS = {"source": "csv", "--text-column": "text"}


def test_position_counts_and_options_are_there_again(tmp_path):
    with open_checkpoint(tmp_path, "tweets", OPTIONS) as checkpoint:
        assert checkpoint.state.position is None
        checkpoint.save({"row": 5}, IngestTotals(read=5, kept=4, rejected=1, seconds=1.234))
    with open_checkpoint(tmp_path, "tweets", OPTIONS) as checkpoint:
        assert checkpoint.state.position == {"row": 5}
        assert checkpoint.state.totals == IngestTotals(read=5, kept=4, rejected=1, seconds=1.23)


def test_what_was_set_aside_behind_the_last_position_is_cut_off(tmp_path):
    with open_checkpoint(tmp_path, "tweets", OPTIONS) as checkpoint:
        checkpoint.set_aside(1, "is empty", {"text": ""})
        checkpoint.save({"row": 1}, IngestTotals(read=1, rejected=1))
        checkpoint.set_aside(2, "is empty", {"text": ""})
    with open_checkpoint(tmp_path, "tweets", OPTIONS) as checkpoint:
        checkpoint.set_aside(3, "is empty", {"text": "\ud83d"})
        checkpoint.save({"row": 3}, IngestTotals(read=3, rejected=2))
        lines = [json.loads(line) for line in checkpoint.rejected.read_text().splitlines()]
    assert [line["row"] for line in lines] == [1, 3]
    assert lines[0] == {"row": 1, "reason": "is empty", "values": {"text": ""}}


def test_only_one_process_runs_an_ingest(tmp_path):
    with open_checkpoint(tmp_path, "tweets", OPTIONS):
        assert is_running(tmp_path / "tweets")
        with pytest.raises(Conflict, match="'tweets' is already running"):
            open_checkpoint(tmp_path, "tweets", OPTIONS)
    assert not is_running(tmp_path / "tweets")
    assert not is_running(tmp_path / "another")


def test_other_options_are_refused_by_name_unless_it_begins_anew(tmp_path):
    with open_checkpoint(tmp_path, "tweets", OPTIONS) as checkpoint:
        checkpoint.set_aside(1, "is empty", {})
        checkpoint.save({"row": 1}, IngestTotals(read=1))
    with pytest.raises(
        InvalidInput,
        match="started with --text-column 'text', now it is asked for with --text-column 'body': give another",
    ) as refused:
        open_checkpoint(tmp_path, "tweets", OPTIONS | {"--text-column": "body"})
    assert refused.value.field == "text_column"
    with open_checkpoint(tmp_path, "tweets", OPTIONS | {"--text-column": "body"}, restart=True) as checkpoint:
        assert checkpoint.state.totals == IngestTotals()
        assert checkpoint.rejected.read_bytes() == b""


def test_a_state_that_cannot_be_read_is_named_with_the_way_out(tmp_path):
    (tmp_path / "tweets").mkdir()
    (tmp_path / "tweets" / "state.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"state.json cannot be read .* start from the beginning with --restart"):
        open_checkpoint(tmp_path, "tweets", OPTIONS)
    with open_checkpoint(tmp_path, "tweets", OPTIONS, restart=True) as checkpoint:
        checkpoint.save(None, IngestTotals())
    assert read_state(tmp_path / "tweets") is not None


def test_the_folder_is_for_its_owner_alone(tmp_path):
    with open_checkpoint(tmp_path, "tweets", OPTIONS) as checkpoint:
        assert checkpoint.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a b", "ä", "x" * 41, "@user"])
def test_what_could_be_no_folder_and_no_source_is_no_name(name):
    with pytest.raises(InvalidInput, match="cannot name an ingest: give 1 to 40 letters"):
        require_name(name)
