"""Models of the Hugging Face hub: fetched as data (JSON, safetensors, vocabularies), never as code or pickles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from sentiment.errors import InvalidInput, ModelRejected, NotFound, Unavailable
from sentiment.validation_messages import in_one_line

logger = logging.getLogger(__name__)

#: Fetches a repository by name and revision and returns the folder that it lies in.
Fetch = Callable[[str, str | None], Path]

_FILES: Final = ("*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model")
_FOLDERS: Final = ("onnx/*", "openvino/*", "coreml/*", "*/*.safetensors")
_VOCABULARIES: Final = (
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
)
_TOKENIZER_CONFIG: Final = "tokenizer_config.json"
_FAST_FILE: Final = (
    "Save it with tokenizer.json where sentencepiece is installed: AutoTokenizer.from_pretrained(…).save_pretrained(…)"
)
_PREFIX: Final = "hf:"


def download(name: str, revision: str | None) -> Path:
    """Download a repository's data files, or find them in the hub's cache, and return their folder.

    Raises:
        NotFound: there is no such repository or revision.
        Unavailable: the hub cannot be reached, and the repository is not in the cache.
    """
    from huggingface_hub import errors, snapshot_download

    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=list(_FILES), ignore_patterns=list(_FOLDERS))
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as exc:
        raise NotFound(
            f"There is neither a folder nor a Hugging Face model {name!r} ({revision or 'main'}): check the name."
        ) from exc
    except (errors.LocalEntryNotFoundError, OSError) as exc:
        raise Unavailable(
            f"{name!r} cannot be downloaded from the Hugging Face hub: {_first_line(exc)}. Check the connection, or "
            "name a folder with config.json, tokenizer.json and model.safetensors"
        ) from exc
    return Path(folder)


def fetch(name: str, *, get: Fetch = download) -> Path:
    """Return the folder of a model: a local path, or a download of `owner/name`, `name@revision` or `hf:name`.

    Raises:
        InvalidInput: the name is empty.
        NotFound: there is no such folder or repository.
        Unavailable: the hub cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    repository, _, revision = name.removeprefix(_PREFIX).partition("@")
    if not repository.strip():
        raise InvalidInput(
            f"{name!r} is not the name of a model: give a folder, or owner/name on the Hugging Face hub", "backbone"
        )
    return get(repository, revision or None)


def convert_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a folder without `tokenizer.json`, converted from its other vocabulary files.

    Raises:
        ModelRejected: it has none that can be converted without code from the model.
    """
    if not any((folder / name).is_file() for name in _VOCABULARIES):  # transformers would return an empty one
        raise ModelRejected(
            f"{folder} has no tokenizer.json and none of {', '.join(_VOCABULARIES)}: copy or download one of them"
        )
    try:
        converted = _by_transformers(folder)
    except Exception as exc:  # the library raises what its parsers raise
        raise ModelRejected(
            f"{folder} has no tokenizer.json, and its other files cannot be converted: {in_one_line(exc)}. {_FAST_FILE}"
        ) from exc
    if _is_empty(converted):
        raise ModelRejected(
            f"{folder} has no tokenizer.json, and transformers reads no words from its vocabulary files. {_FAST_FILE}"
        )
    return converted


def tokenizer_of_transformers(folder: Path) -> Tokenizer | None:
    """Return the tokenizer that transformers makes of a folder's files; None if that needs code from the model."""
    if not (folder / _TOKENIZER_CONFIG).is_file():  # transformers would guess its type
        return None
    try:
        tokenizer = _by_transformers(folder)
    except Exception as exc:  # noqa: BLE001 - the library raises what its parsers raise; tokenizer.json is there
        logger.warning("the tokenizer of %s is read without its %s: %s", folder, _TOKENIZER_CONFIG, in_one_line(exc))
        return None
    return None if _is_empty(tokenizer) else tokenizer


def _is_empty(tokenizer: Tokenizer) -> bool:
    """Return whether it has special pieces only: so transformers does with a file that it cannot read."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    return set(tokenizer.get_vocab(with_added_tokens=False)) <= special


def _by_transformers(folder: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False, local_files_only=True)
    converted: Tokenizer = tokenizer.backend_tokenizer
    return converted


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
