from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType

import msgpack

from sentiment.journal.operations import RECORD_FIELDS, decode_operations, encode_operations
from sentiment.records import AddFeedback, DeleteText, SetLabel, TextRecord
from tests.sample_operations import labelled, put


def test_operations_of_all_kinds_come_back_as_they_were():
    operations = [
        put("a", "träume 🙂 \ud800", claimed=True),
        labelled("b"),
        put("c", probabilities=MappingProxyType({"positive": 1.0})),
        SetLabel("b", "negative", 5),
        DeleteText("a", 6),
        AddFeedback("b", "neutral", "support team", 7),
    ]
    assert decode_operations(encode_operations(operations)) == operations


def test_a_frame_of_before_languages_were_told_is_read_as_supported():
    version, rows = msgpack.unpackb(encode_operations([put("a", language="de", supported=False)]))
    old = [[kind, claimed, fields_[:-2]] for kind, claimed, fields_ in rows]
    [operation] = decode_operations(msgpack.packb([version, old]))
    assert (operation.record.id, operation.record.language, operation.record.supported) == ("a", None, True)


def test_every_field_of_a_record_is_journaled_in_its_order():
    assert tuple(field.name for field in fields(TextRecord)) == (*RECORD_FIELDS, "feedback")
