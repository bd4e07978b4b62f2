from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pymongo
import pytest

from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.index import InsightIndex
from sentiment.insight.memory import MemoryIndex
from sentiment.store.base import TextStore
from tests.contract.insight_texts import quick_folder
from tests.contract.nx_server import NxServer
from tests.contract.stores import open_at

STORES = ["memory", "sqlite", "mongo", pytest.param("mongodb", marks=pytest.mark.integration)]


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_its_files_once() -> Iterator[None]:
    """Keep what describes S3: each new client reads and parses megabytes of JSON again."""
    from botocore.loaders import JSONFileLoader

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", staticmethod(cache(JSONFileLoader().load_file)))
        yield


@pytest.fixture(scope="session")
def nx_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = NxServer(tmp_path_factory.mktemp("nx"))
    server.start()
    yield server.uri
    server.kill()


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "mongodb" and "UNDERTONE_TEST_MONGO_URI" not in os.environ:
        pytest.skip("UNDERTONE_TEST_MONGO_URI names no MongoDB")
    return request.param


@pytest.fixture
def address(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if not kind.startswith("mongo"):
        yield f"{kind}:{tmp_path / 'home' / 'undertone.db'}"
        return
    uri = os.environ["UNDERTONE_TEST_MONGO_URI"] if kind == "mongodb" else request.getfixturevalue("nx_uri")
    database = f"test_{uuid.uuid4().hex}"
    yield f"mongo:{database}@{uri}"
    with pymongo.MongoClient(uri) as client:
        client.drop_database(database)


@pytest.fixture
def store(address: str) -> Iterator[TextStore]:
    opened = open_at(address)
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "embedded"])
def insight(request: pytest.FixtureRequest) -> Iterator[InsightIndex]:
    with quick_folder() as folder:
        opened = MemoryIndex() if request.param == "memory" else TantivyIndex(Path(folder) / "insight")
        yield opened
        opened.close()
