"""Vocabularies of a translator: texts as pieces, and pieces as the input of its network."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.vocab import Vocab

from .normalization import normalize, origins
from .subwords import SubwordModel
from .vocabulary import VocabularyProbe


class DecoderArrays(NamedTuple):
    """Targets as a decoder reads and predicts them in training.

    decoder_input (np.ndarray): The pieces that it reads, with the beginning and without the end,
        padded on the right, int64 (B, T).
    valid_positions (np.ndarray): The positions of `decoder_input`, flattened, that are not padding,
        int64 (M,).
    decoder_target (np.ndarray): The piece that comes next at each of them, int64 (M,).
    """

    decoder_input: np.ndarray
    valid_positions: np.ndarray
    decoder_target: np.ndarray


class TranslationVocabularies:
    """The subword models of a translator. Sources are normalized before they are split into pieces,
    in training and in prediction; targets are not.

    source (SubwordModel): The model of the sources.
    target (SubwordModel): The model of the targets; None for one model of both.
    nfc (bool): See `normalize`.
    """

    def __init__(
        self, source: SubwordModel, target: Optional[SubwordModel] = None, nfc: bool = True
    ):
        self.source = source
        self.target = source if target is None else target
        self.nfc = nfc

    def normalize(self, texts: Sequence[str]) -> List[str]:
        """Normalize sources; see `spacy_rnn.features.normalization.normalize`."""
        return [normalize(text, self.nfc) for text in texts]

    def source_offsets(self, text: str) -> Tuple[np.ndarray, np.ndarray]:
        """The characters of a source, before its normalization, that each of its pieces covers.

        text (str): The source.
        RETURNS (Tuple[np.ndarray, np.ndarray]): The starts and the ends.
        """
        _, starts, ends = self.source.offsets(normalize(text, self.nfc))
        firsts, lasts = origins(text, self.nfc)
        # A piece that covers nothing may come after the last character.
        firsts = np.append(firsts, lasts[-1:])
        covers = ends > starts
        found_starts = firsts[starts]
        return found_starts, np.where(covers, lasts[ends - 1], found_starts)

    @property
    def joint(self) -> bool:
        """True if sources and targets share one model."""
        return self.target is self.source

    def decoder_arrays(self, targets: Sequence[np.ndarray]) -> DecoderArrays:
        """The arrays of targets for teacher forcing.

        targets (Sequence[np.ndarray]): The pieces of each target, without beginning and end.
        RETURNS (DecoderArrays): The arrays.
        """
        steps = max(len(target) for target in targets) + 1
        decoder_input = np.full((len(targets), steps), self.target.pad)
        valid = np.zeros((len(targets), steps), dtype=bool)
        decoder_input[:, 0] = self.target.bos
        for row, is_valid, target in zip(decoder_input, valid, targets, strict=True):
            row[1 : len(target) + 1] = target
            is_valid[: len(target) + 1] = True
        decoder_target = np.concatenate([np.append(target, self.target.eos) for target in targets])
        return DecoderArrays(decoder_input, np.flatnonzero(valid), decoder_target)

    def vocabularies(self, vocab: Vocab) -> Dict[str, Dict[str, VocabularyProbe]]:
        """Return the vocabularies by side and by name."""
        sides = {"source": self.source, "target": self.target}
        return {side: {"pieces": pieces.vocabulary()} for side, pieces in sides.items()}

    def to_dict(self) -> dict[str, Any]:
        """The models as JSON."""
        sides = {"source": self.source} | ({} if self.joint else {"target": self.target})
        return {name: side.to_base64() for name, side in sides.items()}

    def from_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `to_dict`.

        RAISES (KeyError): If it is of a joint model and this one is not, or the reverse.
        """
        if self.joint == ("target" in state):
            raise KeyError("target")
        self.source.from_base64(state["source"])
        if not self.joint:
            self.target.from_base64(state["target"])
