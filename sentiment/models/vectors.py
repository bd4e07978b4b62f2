"""Word vectors in GloVe's text format, as the initial word embeddings of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sentiment.errors import InvalidInput

_HEADER_FIELDS: Final = 2  # word2vec's text format begins with the number of words and their dimensions


def read_vectors(path: Path, ids: Mapping[str, int]) -> Tensor:
    """Return a vector for each piece of `ids`, [pieces, width], from a file with a word and its numbers on each line.

    Vectors of pieces that the file lacks are drawn by torch's generator from a normal distribution with the standard
    deviation of the others. The file is read once, line by line.

    Raises:
        InvalidInput: a line does not have a word and as many numbers as the first line, or no piece is in the file.
    """
    vectors_by_id: dict[int, Tensor] = {}
    width = 0
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            parts = line.rstrip().split(" ")
            if number == 1 and len(parts) == _HEADER_FIELDS:
                continue
            width = width or len(parts) - 1
            if len(parts) <= width:
                raise InvalidInput(
                    f"{path}, line {number}: it must have a word and {width} numbers, as the first line has", "backbone"
                )
            if (place := ids.get(" ".join(parts[:-width]))) is not None:
                vectors_by_id[place] = _numbers(parts[-width:], f"{path}, line {number}")
    if not vectors_by_id:
        raise InvalidInput(
            f"{path} has no vector for any of the {len(ids)} pieces of the vocabulary: name a file of lower-case words",
            "backbone",
        )
    file_vectors = torch.stack(list(vectors_by_id.values()))
    vectors = torch.randn(len(ids), width) * file_vectors.std()
    vectors[torch.tensor(list(vectors_by_id))] = file_vectors
    return vectors


def _numbers(parts: list[str], where: str) -> Tensor:
    try:
        return torch.tensor([float(part) for part in parts])
    except ValueError as exc:
        raise InvalidInput(f"{where}: a vector must be numbers separated by spaces ({exc})", "backbone") from exc
