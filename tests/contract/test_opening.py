from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from pydantic import SecretStr

from sentiment.records import PutText
from sentiment.settings import Settings
from sentiment.store import open_store
from sentiment.store.mongo import MongoStore
from sentiment.store.sqlite import SqliteStore
from tests.contract.stores import text

OPEN_EMBEDDED = """
import sys
from pathlib import Path
from sentiment.settings import Settings
from sentiment.store import open_store
open_store(Settings(home=Path(sys.argv[1])))
print("pymongo" in sys.modules)
"""


def test_texts_are_embedded_unless_a_mongodb_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with closing(open_store(settings)) as store:
        assert isinstance(store, SqliteStore)
        assert not settings.home.exists()
        store.apply([PutText(text("a"))])
        assert settings.database_path.exists()
    with closing(open_store(settings)) as again:
        assert again.get("a") == text("a")


def test_a_mongodb_that_is_named_is_not_touched_by_opening(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, mongo_uri=SecretStr("mongodb://127.0.0.1:1/"))
    with closing(open_store(settings)) as store:
        assert isinstance(store, MongoStore)


def test_the_embedded_store_does_not_import_pymongo(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", OPEN_EMBEDDED, tmp_path], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
