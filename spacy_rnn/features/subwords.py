"""Subword models: texts as pieces of words, by SentencePiece (Kudo and Richardson 2018)."""

from __future__ import annotations

import base64
import logging
import random
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from .normalization import required_texts
from .protobuf import fields
from .subword_sampling import PieceScores, SubwordSampler
from .subword_training import train_model
from .vocabulary import VocabularyProbe

logger = logging.getLogger("spacy_rnn")

#: types of model that can be trained
MODEL_TYPES = ("unigram", "bpe", "char")
#: TrainerSpec.ModelType of sentencepiece_model.proto
_TYPE_OF_NUMBER = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


class SubwordModel:
    """Split texts into pieces of words and join them again, with a SentencePiece model.

    A space is the piece ``▁``, or the start of one, and one more space is added before each text,
    so that a word has the same pieces wherever it is. Decoding restores the encoded text, with its
    spaces and line breaks, except for U+2581, which is read as a space, and for what is unknown
    without `byte_fallback`: characters that the training texts do not contain, and NUL. A loaded
    model may normalize more than that.

    vocab_size (int): Maximum size of a vocabulary to train, including the four control pieces.
    model_type (str): Type of a model to train: "unigram" (Kudo 2018), "bpe" (Sennrich et al. 2016)
        or "char".
    character_coverage (float): Share of the training texts, from 0.98 on, that is covered by
        characters with a piece.
    byte_fallback (bool): Spell characters without a piece as bytes (256 pieces) instead of as
        unknown.
    """

    def __init__(
        self,
        vocab_size: int = 8000,
        model_type: str = "unigram",
        character_coverage: float = 1.0,
        byte_fallback: bool = False,
    ):
        if model_type not in MODEL_TYPES:
            raise ValueError(f"model_type = '{model_type}' is not one of {', '.join(MODEL_TYPES)}.")
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
        self.model_type = model_type
        self.character_coverage = character_coverage
        self.byte_fallback = byte_fallback
        self._model: Optional[_LoadedModel] = None

    def __len__(self) -> int:
        """Size of the vocabulary, 0 without a model."""
        return 0 if self._model is None else len(self._model.pieces)

    @property
    def pad(self) -> int:
        return self._loaded.pad

    @property
    def unk(self) -> int:
        return self._loaded.unk

    @property
    def bos(self) -> int:
        return self._loaded.bos

    @property
    def eos(self) -> int:
        return self._loaded.eos

    @property
    def pieces(self) -> Tuple[str, ...]:
        """The pieces in the order of their ids."""
        return self._loaded.pieces

    def vocabulary(self) -> VocabularyProbe:
        """Return the vocabulary, control pieces included, as reports on corpora read it."""
        return VocabularyProbe(len(self), self.unk, self.encode)

    # Training and loading

    def train(self, texts: Iterable[str]) -> None:
        """Train the model. The same texts give the same model, byte for byte.

        texts (Iterable[str]): The training texts.
        RAISES (ValueError): If there is no text, or if the vocabulary is too small for the texts.
        """
        proto = train_model(
            texts,
            vocab_size=self.vocab_size,
            model_type=self.model_type,
            character_coverage=self.character_coverage,
            byte_fallback=self.byte_fallback,
        )
        self._model = _LoadedModel.from_proto(proto)
        # Only an upper limit for characters, the size to reach for the others.
        if self.model_type != "char" and len(self) < self.vocab_size:
            logger.warning(
                "The SentencePiece vocabulary has %d pieces instead of vocab_size = %d: the "
                "training texts do not contain more. Lower vocab_size or train on more text.",
                len(self),
                self.vocab_size,
            )

    def load(self, path: Union[str, Path]) -> None:
        """Load a SentencePiece model.

        path (Union[str, Path]): The file ``*.model``, whose pad, unk, bos and eos may be any four
            ids.
        RAISES (FileNotFoundError): If there is no such file.
        RAISES (ValueError): If the file is corrupt or lacks control pieces.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no SentencePiece model at {path}. Correct the path to the file, which "
                f"spm_train names *.model."
            )
        self._model = _LoadedModel.from_proto(path.read_bytes(), f" in {path}")

    # Encoding and decoding

    def encode(self, texts: Sequence[str]) -> List[np.ndarray]:
        """The best pieces of each text, int64, without bos and eos."""
        processor = self._loaded.processor
        return [_ids(processor.encode(data, out_type=int)) for data in _utf8(texts)]

    def sample(
        self,
        texts: Sequence[str],
        alpha: float,
        rng: Union[int, np.random.Generator, None] = None,
    ) -> List[np.ndarray]:
        """Sample the pieces of texts for training (subword regularization).

        texts (Sequence[str]): The texts.
        alpha (float): For a unigram model, the power to which the probabilities of segmentations
            are raised, from 0 for equal ones (Kudo 2018); for a BPE model, the share of merges that
            are left out, up to 1 (Provilkov et al. 2020). Other models always give the same pieces.
        rng (Union[int, np.random.Generator, None]): A generator or a seed. The same one gives the
            same pieces, in any process.
        RETURNS (List[np.ndarray]): The pieces of each text, int64, without bos and eos.
        RAISES (ValueError): If alpha does not suit the model.
        """
        model = self._loaded
        if not 0 <= alpha <= (1 if model.model_type == "bpe" else np.finfo("float32").max):
            raise ValueError(
                f"alpha = {alpha} is not a probability from 0 to 1, the share of merges that BPE "
                f"leaves out. Try 0.1."
                if model.model_type == "bpe"
                else f"alpha = {alpha} is not a finite number from 0 on. Try 0.2."
            )
        if model.model_type not in ("unigram", "bpe"):
            return self.encode(texts)
        sampler = model.sampler(alpha)
        uniforms = random.Random(int(np.random.default_rng(rng).integers(1 << 31)))
        normalized = (model.processor.normalize(data).decode() for data in _utf8(texts))
        return [_ids(sampler.sample(text, uniforms)) for text in normalized]

    def decode(self, sequences: Sequence[Sequence[int]]) -> List[str]:
        """The text of each sequence of ids. Control pieces (pad, bos, eos) are left out; unk
        becomes the model's own string for it, ``" ⁇ "`` by default."""
        model = self._loaded
        return [model.decode(_ids(sequence).tolist(), None) for sequence in sequences]

    def decode_with(self, sequence: Sequence[int], replacements: Sequence[str]) -> str:
        """The text of a sequence of ids, in which each unk becomes the next replacement."""
        return self._loaded.decode(_ids(sequence).tolist(), replacements)

    def offsets(self, text: str) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best pieces of a text with the characters that each covers.

        text (str): The text.
        RETURNS (Tuple[np.ndarray, np.ndarray, np.ndarray]): The ids, starts and ends of the pieces.
            They follow one another without a gap; a piece that covers nothing, such as the space
            before the text, ends where it starts.
        """
        data = _utf8([text])[0]
        reply = self._loaded.processor.encode(data, out_type="serialized_proto")
        rows = []
        for number, value in fields(reply):
            if number == 2:
                piece = dict(fields(value))
                rows.append((piece[2], piece.get(4, 0), piece.get(5, 0)))
        ids, starts, ends = np.array(rows, dtype="int64").reshape(-1, 3).T.copy()
        # SentencePiece counts bytes. A character is where its first byte is.
        first = (np.frombuffer(data, dtype="uint8") & 0xC0) != 0x80
        characters = np.concatenate([[0], np.cumsum(first, dtype="int64")])
        return ids, characters[starts], characters[ends]

    # Saving

    def to_bytes(self) -> bytes:
        """The model as SentencePiece saves it; empty without one."""
        return b"" if self._model is None else self._model.proto

    def from_bytes(self, data: bytes) -> None:
        """Restore the state returned by `to_bytes`."""
        self._model = _LoadedModel.from_proto(data) if data else None

    def to_base64(self) -> str:
        """The state of `to_bytes` as a string for JSON."""
        return base64.b64encode(self.to_bytes()).decode()

    def from_base64(self, text: str) -> None:
        """Restore the state returned by `to_base64`."""
        self.from_bytes(base64.b64decode(text))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": self.to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.from_bytes(state["_model"])

    @property
    def _loaded(self) -> _LoadedModel:
        if self._model is None:
            raise ValueError(
                "There is no SentencePiece model yet. Train one, load one from a file, or call "
                "nlp.initialize() for the component that has it."
            )
        return self._model


class _LoadedModel(NamedTuple):
    """A SentencePiece model, as bytes and in use. It never changes, so that threads may share
    it."""

    proto: bytes
    processor: Any
    model_type: str
    pieces: Tuple[str, ...]
    pad: int
    unk: int
    bos: int
    eos: int
    #: those that were used, by alpha
    samplers: Dict[float, SubwordSampler]

    @classmethod
    def from_proto(cls, proto: bytes, where: str = "") -> _LoadedModel:
        from sentencepiece import SentencePieceProcessor  # slow to import, and not always needed

        processor = SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(proto)
            specs = dict(fields(proto))
            trainer, _ = specs[2], specs[3]  # written last: an incomplete file lacks them
            model_type = _TYPE_OF_NUMBER[dict(fields(trainer)).get(3, 1)]
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
        return cls(bytes(proto), processor, model_type, pieces, **ids, samplers={})

    def sampler(self, alpha: float) -> SubwordSampler:
        """The sampler of its pieces with `alpha`, which knows the words that it has seen."""
        if alpha not in self.samplers:
            scores = PieceScores.from_proto(self.proto)
            self.samplers[alpha] = SubwordSampler(self.model_type, scores, alpha)
        return self.samplers[alpha]

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
            text: str = self.processor.decode(ids)
            return text
        reply = self.processor.decode(ids, out_type="serialized_proto")
        pieces = [dict(fields(value)) for number, value in fields(reply) if number == 2]
        remaining = iter(replacements)
        parts: List[bytes] = [
            next(remaining).encode() if i == self.unk else piece.get(3, b"")
            for i, piece in zip(ids, pieces, strict=True)
        ]
        return b"".join(parts).decode()


def _utf8(texts: Sequence[str]) -> List[bytes]:
    return [text.encode() for text in required_texts(texts)]


def _ids(ids: Sequence[int]) -> np.ndarray:
    return np.asarray(ids, dtype="int64")
