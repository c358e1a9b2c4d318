"""Pieces of sources and targets."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from .normalization import normalize, origins
from .pieces import Pieces


class PairFeatures:
    """The SentencePiece models of a translator.

    source, target: of the two sides; without a target's, the source's is that of both.
    nfc: see `normalize`. Sources are normalized before they are cut into pieces, in training and in
        prediction; targets are learned as they are written.
    """

    def __init__(self, source: Pieces, target: Optional[Pieces] = None, nfc: bool = True):
        self.source = source
        self.target = source if target is None else target
        self.nfc = nfc

    def normalize(self, texts: Sequence[str]) -> List[str]:
        """Sources as they are read."""
        return [normalize(text, self.nfc) for text in texts]

    def source_offsets(self, text: str) -> Tuple[np.ndarray, np.ndarray]:
        """The characters of a source that each of its pieces covers: starts and ends."""
        _, starts, ends = self.source.offsets(normalize(text, self.nfc))
        firsts, lasts = origins(text, self.nfc)
        # A piece that covers nothing may stand behind the last character.
        firsts = np.append(firsts, lasts[-1:])
        covers = ends > starts
        found_starts = firsts[starts]
        return found_starts, np.where(covers, lasts[ends - 1], found_starts)

    @property
    def joint(self) -> bool:
        return self.target is self.source

    def teacher_forcing(
        self, targets: Sequence[np.ndarray]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Pieces of targets as a decoder reads them in training, padded on the right: "before"
        (B, T), and "places" (M,), those of it, flattened, that are no padding; and the pieces that
        come next there (M,)."""
        steps = max(len(target) for target in targets) + 1
        before = np.full((len(targets), steps), self.target.pad)
        real = np.zeros((len(targets), steps), dtype=bool)
        before[:, 0] = self.target.bos
        for row, is_real, target in zip(before, real, targets, strict=True):
            row[1 : len(target) + 1] = target
            is_real[: len(target) + 1] = True
        after = np.concatenate([np.append(target, self.target.eos) for target in targets])
        return {"before": before, "places": np.flatnonzero(real)}, after

    def to_dict(self) -> dict[str, Any]:
        """The models, as JSON."""
        sides = {"source": self.source} | ({} if self.joint else {"target": self.target})
        return {name: side.to_base64() for name, side in sides.items()}

    def from_dict(self, state: dict[str, Any]) -> None:
        """Take up what `to_dict` gave. Raises a KeyError where one of both is joint alone."""
        if self.joint == ("target" in state):
            raise KeyError("target")
        self.source.from_base64(state["source"])
        if not self.joint:
            self.target.from_base64(state["target"])
