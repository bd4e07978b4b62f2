"""What users read is plain English: the words that newcomers had to read twice stay out of messages."""

from __future__ import annotations

import re
from pathlib import Path

from tests.repository.messages import files_in, messages_of
from tests.repository.test_layers import PACKAGES

#: Each was in a message once; a plain one took its place.
PRIVATE_WORDS = re.compile(
    r"came apart|tells? against|said nothing|in vain|has not said|on trial|says which and why|is awaited|goes on trying"
    r"|its end is near|as was asked for|is leaving|spoke against|known texts|it is started anew"
)


def test_no_message_speaks_words_that_only_its_writer_understands():
    messages = (message for path in files_in(list(PACKAGES)) for message in messages_of(path))
    assert [message for message in messages if PRIVATE_WORDS.search(message.text)] == []


def test_a_message_is_found_whole_wherever_it_stands_and_a_docstring_is_none(tmp_path: Path):
    source = tmp_path / "source.py"
    source.write_text(
        '"""A module of three words."""\n'
        "LATE = 'one two three'\n"
        "def f(n):\n"
        '    """A function of four words."""\n'
        '    raise ValueError(f"{n} texts " "are too many")\n',
        encoding="utf-8",
    )
    assert [(line, text) for _, line, text in messages_of(source)] == [
        (2, "one two three"),
        (5, "{n} texts are too many"),
    ]
