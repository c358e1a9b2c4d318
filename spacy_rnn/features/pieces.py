"""Ids of pieces of words, and back to text: a SentencePiece model (Kudo and Richardson 2018)."""

from __future__ import annotations

import base64
import io
import logging
import re
import threading
from pathlib import Path
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..forks import ForkSafeLock
from .normalization import required_text

logger = logging.getLogger("spacy_rnn")

#: kinds of model that can be trained
KINDS = ("unigram", "bpe", "char")

#: TrainerSpec.ModelType of sentencepiece_model.proto
_KIND_OF_NUMBER = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
#: Characters that the trainer does not learn, or for which it leaves a text out; which ones depends
#: on its version. Where the training texts have them, they become pieces of their own.
_SYMBOLS = re.compile("[\x01-\x1f\u2585]")
#: Where training texts are cut. Spelled out, the names of control pieces would not be learned.
_CUTS = re.compile("[\x00-\x1f\u2585]|(?<=<)(?=(?:pad|unk|/?s|0x[0-9A-F]{2})>)")
#: characters in a line of the training texts: the trainer leaves long lines out
_MAX_LINE = 1000
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")
#: SentencePiece has one seed for the whole process
_seed_lock = ForkSafeLock()


class Pieces:
    """Text to ids of pieces and back, with a model that is trained or loaded and kept as bytes.

    A blank is the piece ``▁``, or the start of one, and one more blank goes before each text, so
    that a word has the same pieces wherever it stands. What is encoded comes back unchanged, blanks
    and line breaks included, but for U+2581, which reads as a blank, and what is unknown without
    `byte_fallback`: characters that the training texts do not have, and NUL. A loaded model may
    normalize more than that.

    vocab_size: of a model to train, at most. It includes the four control pieces.
    kind: of a model to train: "unigram" (Kudo 2018), "bpe" (Sennrich et al. 2016) or "char".
    character_coverage: share of the training texts, from 0.98 on, that the characters with
        a piece make up.
    byte_fallback: spell characters without a piece as bytes (256 pieces), not as unknown.
    """

    #: ids in the models that `train` makes. Those of a loaded model may differ: see `pad`, ...
    PAD, UNK, BOS, EOS = range(4)

    def __init__(
        self,
        vocab_size: int = 8000,
        kind: str = "unigram",
        character_coverage: float = 1.0,
        byte_fallback: bool = False,
    ):
        if kind not in KINDS:
            raise ValueError(f"kind = '{kind}' is not one of {', '.join(KINDS)}.")
        if vocab_size < 5:
            raise ValueError(
                f"vocab_size = {vocab_size} leaves no room beside the control pieces. Try 8000."
            )
        if not 0.98 <= character_coverage <= 1:
            raise ValueError(
                f"character_coverage = {character_coverage} is not a share from 0.98 to 1. Use "
                f"1.0 for alphabets and 0.9995 for Chinese or Japanese."
            )
        self.vocab_size = vocab_size
        self.kind = kind
        self.character_coverage = character_coverage
        self.byte_fallback = byte_fallback
        self._model: Optional[_Model] = None

    def __len__(self) -> int:
        """Size of the vocabulary, 0 without a model."""
        return 0 if self._model is None else len(self._model.pieces)

    @property
    def pad(self) -> int:
        return self._trained.pad

    @property
    def unk(self) -> int:
        return self._trained.unk

    @property
    def bos(self) -> int:
        return self._trained.bos

    @property
    def eos(self) -> int:
        return self._trained.eos

    def pieces(self) -> List[str]:
        """The pieces in the order of their ids."""
        return list(self._trained.pieces)

    def names(self, ids: Iterable[int]) -> List[str]:
        """The pieces that these ids stand for."""
        pieces = self._trained.pieces
        return [pieces[i] for i in ids]

    # Making a model

    def train(self, texts: Iterable[str]) -> None:
        """Learn the pieces. The same texts give the same model, byte for byte."""
        lines, symbols = _lines(texts)
        if not lines:
            raise ValueError(
                "There is no text to train a SentencePiece model on. Check that the training "
                "corpus is not empty and that its texts are not."
            )
        # Only an upper limit for characters, a number to reach for the others.
        self._model = _Model.of(_train(lines, symbols, self))
        if self.kind != "char" and len(self) < self.vocab_size:
            logger.warning(
                "The SentencePiece vocabulary has %d pieces instead of vocab_size = %d: the "
                "training texts do not hold more. Lower vocab_size or train on more text.",
                len(self),
                self.vocab_size,
            )

    def load(self, path: Union[str, Path]) -> None:
        """Take up a file ``*.model``, whose pad, unk, bos and eos may be any four ids."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no SentencePiece model at {path}. Correct the path to the file, which "
                f"spm_train names *.model."
            )
        self._model = _Model.of(path.read_bytes(), f" in {path}")

    # Using it

    def encode(self, texts: Sequence[str]) -> List[np.ndarray]:
        """The best pieces of each text, int64, without bos and eos."""
        processor = self._trained.processor
        return [_ids(processor.encode(data, out_type=int)) for data in _utf8(texts)]

    def sample(
        self,
        texts: Sequence[str],
        alpha: float,
        rng: Union[int, np.random.Generator, None] = None,
    ) -> List[np.ndarray]:
        """Random pieces of each text, int64, for training (subword regularization).

        alpha: of a unigram model the power to which probabilities of segmentations are raised, from
            0 for equal ones (Kudo 2018); of a BPE model the share of merges that are left out, up
            to 1 (Provilkov et al. 2020). The other models have nothing to choose.
        rng: a generator or a seed. The same one gives the same pieces within a process;
            SentencePiece 0.2.3 adds a salt of each process.

        This sets the seed of SentencePiece, which is one for the whole process.
        """
        model = self._trained
        if not 0 <= alpha <= (1 if model.kind == "bpe" else np.finfo("float32").max):
            raise ValueError(
                f"alpha = {alpha} is not a probability from 0 to 1, the share of merges that BPE "
                f"leaves out. Try 0.1."
                if model.kind == "bpe"
                else f"alpha = {alpha} is not a finite number from 0 on. Try 0.2."
            )
        if model.kind not in ("unigram", "bpe"):
            return self.encode(texts)
        data = _utf8(texts)
        seed = int(np.random.default_rng(rng).integers(1 << 31))
        return [_ids(ids) for ids in _sample(model.processor, data, alpha, seed)]

    def decode(self, sequences: Sequence[Sequence[int]]) -> List[str]:
        """Texts of sequences of ids. Control pieces (pad, bos, eos) are left out; for unk stands
        what the model says, ``" ⁇ "`` if not set otherwise."""
        model = self._trained
        return [model.decode(_ids(sequence).tolist(), None) for sequence in sequences]

    def decode_with(self, sequence: Sequence[int], replacements: Sequence[str]) -> str:
        """The text of a sequence of ids, with something written for each unk of it."""
        return self._trained.decode(_ids(sequence).tolist(), replacements)

    def offsets(self, text: str) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best pieces of a text with the characters that each covers: ids, starts and ends.

        The pieces follow one another without a gap; a piece that covers nothing, such as the blank
        before the text, ends where it starts.
        """
        data = _utf8([text])[0]
        reply = self._trained.processor.encode(data, out_type="serialized_proto")
        rows = []
        for number, value in _fields(reply):
            if number == 2:
                piece = dict(_fields(value))
                rows.append((piece[2], piece.get(4, 0), piece.get(5, 0)))
        ids, starts, ends = np.array(rows, dtype="int64").reshape(-1, 3).T.copy()
        # SentencePiece counts bytes. A character is where its first byte is.
        first = (np.frombuffer(data, dtype="uint8") & 0xC0) != 0x80
        characters = np.concatenate([[0], np.cumsum(first, dtype="int64")])
        return ids, characters[starts], characters[ends]

    # Saving

    def to_bytes(self) -> bytes:
        """The model as SentencePiece saves it, empty without one."""
        return b"" if self._model is None else self._model.proto

    def from_bytes(self, data: bytes) -> None:
        """Take up what `to_bytes` gave."""
        self._model = _Model.of(data) if data else None

    def to_base64(self) -> str:
        """`to_bytes` as JSON can hold it."""
        return base64.b64encode(self.to_bytes()).decode()

    def from_base64(self, text: str) -> None:
        """Take up what `to_base64` gave."""
        self.from_bytes(base64.b64decode(text))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": self.to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.from_bytes(state["_model"])

    @property
    def _trained(self) -> _Model:
        if self._model is None:
            raise ValueError(
                "There is no SentencePiece model yet. Train one, load one from a file, or call "
                "nlp.initialize() for the component that has it."
            )
        return self._model


class _Model(NamedTuple):
    """A model as bytes and as what reads them. Never changes, so that threads may share it."""

    proto: bytes
    processor: Any
    kind: str
    pieces: Tuple[str, ...]
    pad: int
    unk: int
    bos: int
    eos: int

    @classmethod
    def of(cls, proto: bytes, where: str = "") -> _Model:
        from sentencepiece import SentencePieceProcessor  # only those who use it wait for it

        processor = SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(proto)
            specs = dict(_fields(proto))
            trainer, _ = specs[2], specs[3]  # the last ones written: missing from half a file
            kind = _KIND_OF_NUMBER[dict(_fields(trainer)).get(3, 1)]
            pieces = tuple(processor.id_to_piece(i) for i in range(processor.get_piece_size()))
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"The SentencePiece model{where} is corrupt: {error}. Train it again or copy the "
                f"file again."
            ) from error
        ids = {name: getattr(processor, f"{name}_id")() for name in ("pad", "unk", "bos", "eos")}
        if min(ids.values()) < 0 or len(set(ids.values())) < len(ids):
            raise ValueError(
                f"The SentencePiece model{where} lacks control pieces: "
                f"{', '.join(f'{name}_id = {i}' for name, i in ids.items())}. Train it again with "
                f"--pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3, or any other four distinct ids."
            )
        return cls(bytes(proto), processor, kind, pieces, **ids)

    def decode(self, ids: List[int], replacements: Optional[Sequence[str]]) -> str:
        if not ids:
            return ""
        if not 0 <= min(ids) <= max(ids) < len(self.pieces):
            wrong = next(i for i in ids if not 0 <= i < len(self.pieces))
            raise ValueError(
                f"{wrong} is not an id of a vocabulary of {len(self.pieces)} pieces. Decode with "
                f"the model that the ids are from."
            )
        if replacements is None:
            return self.processor.decode(ids)
        reply = self.processor.decode(ids, out_type="serialized_proto")
        pieces = [dict(_fields(value)) for number, value in _fields(reply) if number == 2]
        written = iter(replacements)
        surfaces = [
            next(written).encode() if i == self.unk else p.get(3, b"")
            for i, p in zip(ids, pieces, strict=True)
        ]
        return b"".join(surfaces).decode()


def _lines(texts: Iterable[str]) -> Tuple[List[bytes], List[str]]:
    """The lines to train on, and which of `_SYMBOLS` the texts have."""
    lines: List[bytes] = []
    symbols: set[str] = set()
    for i, text in enumerate(_not_one(texts), 1):
        required_text(text, f"Text {i}")
        symbols.update(_SYMBOLS.findall(text))
        for line in _CUTS.split(text):
            if line.strip(" "):
                lines.extend(part.encode() for part in _parts(line))
    return lines, sorted(symbols)


def _parts(line: str) -> Iterator[str]:
    """A line in parts of at most `_MAX_LINE` characters, cut at blanks where it has some."""
    while len(line) > _MAX_LINE:
        blank = line.rfind(" ", 1, _MAX_LINE + 1)
        end = blank if blank > 0 else _MAX_LINE
        yield line[:end]
        # The trainer puts a blank before each part.
        line = line[end + 1 :] if blank > 0 else line[end:]
    yield line


def _train(lines: List[bytes], symbols: List[str], config: Pieces) -> bytes:
    from sentencepiece import SentencePieceTrainer

    proto = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=proto,
            model_type=config.kind,
            vocab_size=config.vocab_size,
            hard_vocab_limit=False,
            character_coverage=config.character_coverage,
            byte_fallback=config.byte_fallback,
            user_defined_symbols=symbols,
            pad_id=config.PAD,
            unk_id=config.UNK,
            bos_id=config.BOS,
            eos_id=config.EOS,
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
            f"vocab_size = {config.vocab_size} is too small: the control pieces and the characters "
            f"of the training texts alone are {needed[1]} pieces. Increase vocab_size or lower "
            f"character_coverage."
        ) from error
    return proto.getvalue()


def _sample(processor: Any, texts: List[bytes], alpha: float, seed: int) -> List[List[int]]:
    """Random segmentations. In SentencePiece 0.2.0 a thread takes up the seed only before its
    first sample: therefore a new thread."""
    from sentencepiece import set_random_generator_seed

    results: List[List[int]] = []
    errors: List[BaseException] = []

    def run() -> None:
        try:
            for text in texts:
                results.append(
                    processor.encode(
                        text, out_type=int, enable_sampling=True, nbest_size=-1, alpha=alpha
                    )
                )
        except BaseException as error:
            errors.append(error)

    with _seed_lock:
        set_random_generator_seed(seed)
        thread = threading.Thread(target=run, name="spacy_rnn sampling")
        thread.start()
        thread.join()
    if errors:
        raise errors[0]
    return results


def _not_one(texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str):
        raise ValueError("One text was given instead of a list of texts. Put it into a list.")
    return texts


def _utf8(texts: Sequence[str]) -> List[bytes]:
    return [required_text(text, f"Text {i}").encode() for i, text in enumerate(_not_one(texts), 1)]


def _ids(ids: Sequence[int]) -> np.ndarray:
    return np.asarray(ids, dtype="int64")


def _fields(message: bytes) -> Iterator[Tuple[int, Any]]:
    """The fields of a message of protocol buffers: numbers with an int or bytes.

    Offsets come this way alone from every version of SentencePiece, and without protobuf.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                if wire != 2:
                    raise ValueError(f"it has a field of type {wire}")
                size, at = _varint(message, at)
            yield number, message[at : at + size]
            at += size


def _varint(message: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
