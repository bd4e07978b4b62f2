"""Bodies that come compressed, with a byte order mark, or in another encoding than UTF-8."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pyarrow as pa
import pytest

from serve_app.gateway.http.decoding import PIECE_BYTES, GzipDecoder
from tests.unit.gateway.fake_parts import FakeParts, client_of

LIMIT = 100_000
LOVE = b'{"text": "I love it"}'
INPUTS = b'{"inputs": "I love it"}'
PATHS = {"/v1/predict": LOVE, "/v1/predict/batch": b'{"texts": ["I love it"]}', "/predict": INPUTS, "/": INPUTS}
BOM = b"\xef\xbb\xbf"


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


async def chunked(data: bytes, size: int = 7):
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
async def client():
    async with client_of(FakeParts(), max_body_bytes=LIMIT) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("identity, gzip", gzip.compress),
        ("identity", bytes),
        ("", bytes),
        ("zstd", zstd),
    ],
)
async def test_a_compressed_body_is_read_on_every_route(client, path, encoding, compress):
    answer = await client.post(path, content=compress(PATHS[path]), headers={"Content-Encoding": encoding})
    assert (answer.status_code, "positive" in answer.text) == (200, True), answer.text


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
async def test_a_compressed_body_may_come_in_chunks(client, encoding, compress):
    body = json.dumps({"texts": [f"I love number {number}" for number in range(500)]}).encode()
    answer = await client.post(
        "/v1/predict/batch", content=chunked(compress(body)), headers={"Content-Encoding": encoding}
    )
    assert [row["label"] for row in answer.json()["results"]] == ["positive"] * 500


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
async def test_members_in_a_row_are_one_body(client, encoding, compress):
    body = compress(LOVE[:9]) + compress(b"") + compress(LOVE[9:])
    answer = await client.post("/v1/predict", content=body, headers={"Content-Encoding": encoding})
    assert answer.json()["label"] == "positive"


@pytest.mark.parametrize("encoding", ["br", "deflate", "compress", "gzip, gzip", "gzip, zstd", "zip", "*"])
@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/predict/stream", "/v1/texts"])
async def test_an_encoding_that_is_not_read_is_415_by_its_name(client, path, encoding):
    answer = await client.post(path, content=b"x", headers={"Content-Encoding": encoding})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (415, "unsupported_media_type")
    assert error["field"] == "Content-Encoding"
    assert error["message"].startswith(f"Content-Encoding: {encoding!r} is not supported; ")


async def test_tei_names_an_encoding_that_is_not_read_in_its_own_shape(client):
    answer = await client.post("/", content=INPUTS, headers={"Content-Encoding": "br"})
    assert (answer.status_code, answer.json()["error_type"]) == (415, "Validation")
    assert "'br' is not supported" in answer.json()["error"]


async def test_two_headers_of_encodings_are_two_encodings(client):
    headers = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")]
    answer = await client.post("/v1/predict", content=gzip.compress(gzip.compress(LOVE)), headers=headers)
    assert answer.status_code == 415
    assert "'gzip, gzip'" in answer.json()["error"]["message"]


async def test_an_encoding_without_a_body_is_no_reason_to_refuse(client):
    assert (await client.get("/v1/texts", headers={"Content-Encoding": "br"})).status_code == 200
    empty = await client.post("/v1/predict", content=b"", headers={"Content-Encoding": "gzip"})
    assert (empty.status_code, empty.json()["error"]["field"]) == (422, "body")


BROKEN = {
    "truncated": gzip.compress(LOVE * 100)[:-9],
    "without its checksum": gzip.compress(LOVE)[:-8],
    "of the head alone": gzip.compress(LOVE)[:5],
    "with a wrong checksum": gzip.compress(LOVE)[:-8] + bytes(8),
    "with bytes behind": gzip.compress(LOVE) + b"and more",
    "with zeros behind": gzip.compress(LOVE) + bytes(4),
    "plain": LOVE,
    "zlib": zlib.compress(LOVE),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_gzip_that_is_broken_is_400_on_the_body(client, broken):
    answer = await client.post("/v1/predict", content=BROKEN[broken], headers={"Content-Encoding": "gzip"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (400, "bad_request", "body")
    assert error["message"].startswith("body: the gzip data is ")


@pytest.mark.parametrize("broken", [zstd(LOVE * 100)[:-3], LOVE, zstd(LOVE) + b"and more", zstd(LOVE)[:3]])
async def test_zstd_that_is_broken_is_400_on_the_body(client, broken):
    answer = await client.post("/v1/predict", content=broken, headers={"Content-Encoding": "zstd"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "body")


async def test_tei_says_in_its_own_shape_that_a_body_is_broken(client):
    answer = await client.post("/predict", content=INPUTS, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "Validation")


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
@pytest.mark.parametrize("spaces", [LIMIT, 50_000_000])
async def test_the_limit_is_on_what_comes_out(client, encoding, compress, spaces):
    body = compress(LOVE + b" " * spaces)
    assert len(body) < LIMIT
    answer = await client.post("/v1/predict", content=body, headers={"Content-Encoding": encoding})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (413, "too_large", "body")
    assert f"more than {LIMIT} bytes when it is decompressed" in error["message"]


async def test_a_body_that_just_fits_is_taken(client):
    body = gzip.compress(LOVE.ljust(LIMIT))
    assert (await client.post("/v1/predict", content=body, headers={"Content-Encoding": "gzip"})).status_code == 200


async def test_the_limit_is_on_what_comes_in_too(client):
    body = gzip.compress(LOVE) * 5000
    for content in (body, chunked(body, 10_000)):
        answer = await client.post("/v1/predict", content=content, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 413


def test_a_bomb_is_inflated_in_small_pieces():
    decoder = GzipDecoder()
    decoder.feed(gzip.compress(bytes(10_000_000)), is_last=True)
    sizes = []
    while piece := decoder.piece():
        sizes.append(len(piece))
    assert (sum(sizes), max(sizes)) == (10_000_000, PIECE_BYTES)


async def test_a_compressed_stream_is_answered_line_by_line(client):
    lines = b"".join(b'{"text": "I love number %d"}\n' % number for number in range(600))
    for encoding in ("gzip", "X-GZIP"):
        answer = await client.post(
            "/v1/predict/stream", content=chunked(gzip.compress(lines), 100), headers={"Content-Encoding": encoding}
        )
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert [row["label"] for row in rows] == ["positive"] * 600


async def test_lines_of_a_compressed_stream_are_answered_before_its_end():
    whole, parts, before = zlib.compressobj(wbits=31), FakeParts(), []

    async def body():
        yield whole.compress(LOVE + b"\n") + whole.flush(zlib.Z_SYNC_FLUSH)
        for _ in range(2000):
            if parts.classified:
                break
            await asyncio.sleep(0.001)
        before.extend(parts.classified)
        yield whole.compress(LOVE.replace(b"love", b"hate") + b"\n") + whole.flush()

    async with client_of(parts) as client:
        answer = await client.post("/v1/predict/stream", content=body(), headers={"Content-Encoding": "gzip"})
    assert [json.loads(line)["label"] for line in answer.text.splitlines()] == ["positive", "negative"]
    assert before == [["I love it"]]


@pytest.mark.parametrize("end", [b"", b"\xff" * 40])
async def test_a_compressed_stream_that_breaks_says_so_in_its_last_answer(client, end):
    whole = zlib.compressobj(wbits=31)
    body = whole.compress(LOVE + b"\n" + LOVE + b"\n" + b'{"text": ') + whole.flush(zlib.Z_SYNC_FLUSH)
    content = chunked(body + end, len(body))
    answer = await client.post("/v1/predict/stream", content=content, headers={"Content-Encoding": "gzip"})
    *rows, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["label"] for row in rows] == ["positive", "positive"]
    assert (last["error"]["code"], last["error"]["field"], last["id"]) == ("bad_request", "body", None)


async def test_the_stream_names_what_it_reads_when_it_gets_zstd(client):
    answer = await client.post("/v1/predict/stream", content=zstd(LOVE), headers={"Content-Encoding": "zstd"})
    assert answer.status_code == 415
    assert "'zstd' is not supported; send a stream with one of gzip, " in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_byte_order_mark_before_json_is_taken_in(client, path):
    for body, headers in (
        (BOM + PATHS[path], {}),
        (gzip.compress(BOM + PATHS[path]), {"Content-Encoding": "gzip"}),
    ):
        answer = await client.post(path, content=body, headers=headers)
        assert (answer.status_code, "positive" in answer.text) == (200, True), answer.text


async def test_other_bodies_may_bear_a_byte_order_mark_as_well(client):
    await client.post("/v1/texts", content=BOM + b'{"text": "plain", "id": "t1"}')
    label = await client.patch("/v1/texts/t1/sentiment", content=BOM + b'{"label": "positive"}')
    word = await client.post("/v1/feedback", content=BOM + b'{"id": "t1", "label": "negative", "source": "me"}')
    split = await client.put("/v1/split", content=BOM + b'{"versions": {}}')
    assert [answer.status_code for answer in (label, word, split)] == [200, 200, 200]


async def test_a_byte_order_mark_before_a_line_of_a_stream_is_taken_in(client):
    answer = await client.post("/v1/predict/stream", content=BOM + LOVE + b"\n" + BOM + LOVE)
    assert [json.loads(line)["label"] for line in answer.text.splitlines()] == ["positive", "positive"]


async def test_a_mark_within_the_text_is_no_mark_of_the_body(client):
    twice = await client.post("/v1/predict", content=BOM + BOM + LOVE)
    assert (twice.status_code, twice.json()["error"]["field"]) == (422, "body")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
async def test_json_in_utf_16_or_32_is_415_and_says_what_to_send(client, encoding):
    body = LOVE.decode().encode(encoding)
    answer = await client.post("/v1/predict", content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (415, "body")
    assert error["message"] == "body: is in UTF-16 or UTF-32; send JSON in UTF-8"
    stream = await client.post("/v1/predict/stream", content=body)
    assert "lines.0: is in UTF-16 or UTF-32" in json.loads(stream.text.splitlines()[0])["error"]["message"]
