"""`tests/unit` mirrors the rooms: who looks for the tests of a module finds them in the folder of its name."""

from __future__ import annotations

from pathlib import PurePosixPath

from tests.repository.sources import FILES, SOURCES

#: Packages whose rooms stand in tests/unit by their own names.
OPENED = ("sentiment", "serve_app")
#: Folders that are called otherwise: the page's package, and what is shown by `make demo-rollout` and the demo's texts.
OTHERWISE = {"page": "gradio_ui", "demo": "tests"}


def rooms() -> set[str]:
    """Return the product's folders as tests/unit has them."""
    folders = {PurePosixPath(name).parent for name in SOURCES}
    opened = {PurePosixPath(*folder.parts[1:]) for folder in folders if folder.parts[0] in OPENED}
    return {folder.as_posix() for folder in folders | opened} | set(OTHERWISE)


def test_each_folder_of_unit_tests_is_a_room():
    tested = {PurePosixPath(name).parent for name in FILES if name.startswith("tests/unit/")}
    unknown = {folder.relative_to("tests/unit").as_posix() for folder in tested} - rooms()
    assert not unknown
