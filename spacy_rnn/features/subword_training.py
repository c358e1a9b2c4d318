"""Training of SentencePiece models."""

from __future__ import annotations

import io
import re
from typing import Iterable, Iterator, List, Tuple

from .normalization import required_texts

#: ids of the control pieces
PAD, UNK, BOS, EOS = range(4)

#: Characters that the trainer does not learn, or for which it leaves a text out; which ones depends
#: on its version. If the training texts contain them, they become pieces of their own.
_SYMBOLS = re.compile("[\x01-\x1f\u2585]")
#: Training texts are cut here. Spelled out, the names of control pieces would not be learned.
_CUTS = re.compile("[\x00-\x1f\u2585]|(?<=<)(?=(?:pad|unk|/?s|0x[0-9A-F]{2})>)")
#: characters in a line of the training texts: the trainer leaves long lines out
_MAX_LINE = 1000
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


def train_model(
    texts: Iterable[str],
    *,
    vocab_size: int,
    model_type: str,
    character_coverage: float,
    byte_fallback: bool,
) -> bytes:
    """Train a SentencePiece model. The same texts give the same model, byte for byte.

    texts (Iterable[str]): The training texts.
    vocab_size, model_type, character_coverage, byte_fallback: See `SubwordModel`.
    RETURNS (bytes): The model as SentencePiece saves it.
    RAISES (ValueError): If there is no text, or if the vocabulary is too small for the texts.
    """
    from sentencepiece import SentencePieceTrainer

    lines, symbols = _lines(texts)
    if not lines:
        raise ValueError(
            "There is no text to train a SentencePiece model on. Check that the training corpus "
            "is not empty and that its texts are not."
        )
    proto = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=proto,
            model_type=model_type,
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=character_coverage,
            byte_fallback=byte_fallback,
            user_defined_symbols=symbols,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            max_sentence_length=4 * _MAX_LINE,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        needed = _TOO_SMALL.search(str(error))
        if needed is None:
            raise ValueError(f"Training a SentencePiece model failed: {error}") from error
        raise ValueError(
            f"vocab_size = {vocab_size} is too small: the control pieces and the characters "
            f"of the training texts alone are {needed[1]} pieces. Increase vocab_size or lower "
            f"character_coverage."
        ) from error
    return proto.getvalue()


def _lines(texts: Iterable[str]) -> Tuple[List[bytes], List[str]]:
    """The lines to train on, and those of `_SYMBOLS` that the texts contain."""
    lines: List[bytes] = []
    symbols: set[str] = set()
    for text in required_texts(texts):
        symbols.update(_SYMBOLS.findall(text))
        for line in _CUTS.split(text):
            if line.strip(" "):
                lines.extend(part.encode() for part in _parts(line))
    return lines, sorted(symbols)


def _parts(line: str) -> Iterator[str]:
    """The parts of a line, of at most `_MAX_LINE` characters, cut at spaces if it has some."""
    while len(line) > _MAX_LINE:
        space = line.rfind(" ", 1, _MAX_LINE + 1)
        end = space if space > 0 else _MAX_LINE
        yield line[:end]
        # The trainer puts a space before each part.
        line = line[end + 1 :] if space > 0 else line[end:]
    yield line
