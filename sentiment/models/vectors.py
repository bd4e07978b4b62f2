"""Word vectors in GloVe's text format, as the start of a model's word embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sentiment.errors import InvalidInput

_HEADER_FIELDS: Final = 2  # word2vec's text format opens with how many words and how wide


def read_vectors(path: Path, ids: Mapping[str, int]) -> Tensor:
    """Return a vector for each piece of `ids`, [pieces, width], from a file with a word and its numbers a line.

    Pieces that the file does not have, parts of words among them, are drawn from a normal distribution of the others'
    deviation, by torch's generator. The file is read once, line by line.

    Raises:
        InvalidInput: a line is no word with as many numbers as the first, or no piece is among the words.
    """
    found: dict[int, Tensor] = {}
    width = 0
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            parts = line.rstrip().split(" ")
            if number == 1 and len(parts) == _HEADER_FIELDS:
                continue
            width = width or len(parts) - 1
            if len(parts) <= width:
                raise InvalidInput(f"{path}, line {number}: no word with {width} numbers, as the first has", "backbone")
            if (place := ids.get(" ".join(parts[:-width]))) is not None:
                found[place] = _numbers(parts[-width:], f"{path}, line {number}")
    if not found:
        raise InvalidInput(f"{path} has a vector for none of the {len(ids)} pieces of the vocabulary", "backbone")
    known = torch.stack(list(found.values()))
    vectors = torch.randn(len(ids), width) * known.std()
    vectors[torch.tensor(list(found))] = known
    return vectors


def _numbers(parts: list[str], where: str) -> Tensor:
    try:
        return torch.tensor([float(part) for part in parts])
    except ValueError as exc:
        raise InvalidInput(f"{where}: a vector is numbers with a space between them: {exc}", "backbone") from exc
