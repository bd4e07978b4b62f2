"""Smaller vocabularies: the most useful WordPieces of a larger one, and emoji as pieces of their own."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

#: Returns, for each corpus, how often it uses each piece of a tokenizer.
CountPieces = Callable[[Tokenizer], Sequence[Counter[str]]]

SPECIAL_PIECES: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

#: Faces, hands and hearts; they stay in the vocabulary even if the training texts do not contain them.
_EMOJI_BLOCKS: Final = (
    range(0x1F600, 0x1F650),
    range(0x1F910, 0x1F918),
    range(0x1F920, 0x1F930),
    range(0x1F970, 0x1F97B),
)
_EMOJI_CHOICE: Final = (
    "☹☺♥❤❣💔💕💖💗💙💚💛💜🖤👍👎👏👌✌🙏💪👊🔥💯🎉🎊🎂🎁💩💀👻👀💤💦💥💰📈📉⭐🌟✨🏆🚀⚠❌✅❗❓😀🤡🤖🤝🤮🤯🥰🥳🥺"
)
_EMOJI_PATTERN: Final = r"[\p{So}]"
_MODIFIERS: Final = r"[\x{FE0E}\x{FE0F}\x{200D}\x{1F3FB}-\x{1F3FF}\x{1F1E6}-\x{1F1FF}]"
_UNKNOWN: Final = "[UNK]"
_LONGEST_WORD: Final = 100
_LAST_LATIN: Final = 0x17F


def count_pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> Counter[str]:
    """Count how often each piece of `tokenizer` occurs in `texts`."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return Counter(piece for encoding in encodings for piece in encoding.tokens)


def select_pieces(
    vocabulary: Mapping[str, int], counts: Iterable[Counter[str]], size: int, prior_weight: float = 0.4
) -> list[str]:
    """Choose at most `size` pieces of a BERT vocabulary, in the order of their old ids.

    Each corpus of `counts` has the same weight whatever its size. `prior_weight` is the weight of general English,
    whose frequencies are estimated by Zipf's law from the old ids, which are roughly ordered by frequency. Special
    pieces and single Latin characters always stay, so that every Latin word can be spelt.
    """
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)
    always = dict.fromkeys(piece for piece in ordered if _indispensable(piece))
    scores = _scores(ordered, list(counts), prior_weight)
    ranked = sorted((piece for piece in scores if piece not in always), key=lambda piece: -scores[piece])
    chosen = set(always).union(ranked[: max(size - len(always), 0)])
    return [piece for piece in ordered if piece in chosen]


def select_emoji(texts: Iterable[str], least: int = 3) -> list[str]:
    """Return the emoji that become pieces: common faces, hands and hearts, and those with `least` occurrences."""
    counts = Counter(character for text in texts for character in text if is_emoji(character))
    frequent = {character for character, count in counts.items() if count >= least}
    blocks = {chr(code) for block in _EMOJI_BLOCKS for code in block}
    return sorted(character for character in frequent | blocks | set(_EMOJI_CHOICE) if is_emoji(character))


def is_emoji(piece: str) -> bool:
    """Return whether a piece is a single pictorial symbol."""
    return len(piece) == 1 and piece > "\u203c" and unicodedata.category(piece) == "So"


def emoji_name(emoji: str) -> str:
    """Return an emoji's Unicode name in lower case: `loudly crying face`."""
    return unicodedata.name(emoji, "").lower()


def build_tokenizer(pieces: Sequence[str]) -> Tokenizer:
    """Return an uncased WordPiece tokenizer over `pieces`; each emoji is a word, and [CLS] and [SEP] are added.

    Variation selectors, joiners, skin tones and the letters of flags are removed.
    """
    ids = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token=_UNKNOWN, max_input_chars_per_word=_LONGEST_WORD))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(_MODIFIERS), ""), normalizers.BertNormalizer(lowercase=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_EMOJI_PATTERN), "isolated"), pre_tokenizers.BertPreTokenizer()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(piece, ids[piece]) for piece in ("[CLS]", "[SEP]")]
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def is_uncased_wordpiece(tokenizer: Tokenizer) -> bool:
    """Return whether `build_tokenizer` can rebuild a tokenizer from its pieces: it must be BERT's uncased one."""
    parts = json.loads(tokenizer.to_str())
    normalizer = json.dumps(parts["normalizer"])
    special = all(tokenizer.token_to_id(piece) is not None for piece in SPECIAL_PIECES)
    return parts["model"]["type"] == "WordPiece" and special and '"lowercase": true' in normalizer


def _indispensable(piece: str) -> bool:
    bare = piece.removeprefix("##")
    return piece in SPECIAL_PIECES or (len(bare) == 1 and (ord(bare) <= _LAST_LATIN or not bare.isalnum()))


def _scores(ordered: Sequence[str], counts: Sequence[Counter[str]], prior_weight: float) -> dict[str, float]:
    words = [piece for piece in ordered if not piece.startswith("[unused") and piece not in SPECIAL_PIECES]
    zipf = sum(1.0 / rank for rank in range(1, len(words) + 1))
    scores = {piece: prior_weight / rank / zipf for rank, piece in enumerate(words, 1)}
    for count in counts:
        share = (1.0 - prior_weight) / len(counts) / max(count.total(), 1)
        for piece, times in count.items():
            if piece in scores:
                scores[piece] += share * times
    return scores
