"""Encoding of entities as tags of tokens, and decoding (Ratinov and Roth 2009, section 5)."""

from functools import lru_cache
from typing import Dict, Tuple

import numpy as np

#: place of a token in its entity: Begin, In, Last, or Unit for an entity of one token
PREFIXES = {"bio": "BI", "biluo": "BILU"}
#: the tag of tokens outside of entities
OUTSIDE = 0
#: values of token.ent_iob
UNKNOWN, IN, OUT, BEGIN = range(4)


class TagScheme:
    """The tags of a scheme: tag 0 is O, followed by the tags of each label.

    name (str): "bio" or "biluo".
    n_labels (int): Number of labels.
    """

    def __init__(self, name: str, n_labels: int):
        self.prefixes = PREFIXES[name]
        self.n_tags = 1 + n_labels * len(self.prefixes)
        prefixes = ["O", *self.prefixes * n_labels]
        #: label of each tag, -1 for O
        self.label = np.array([-1, *np.repeat(np.arange(n_labels), len(self.prefixes))])
        #: True for tags of the first token of an entity, and of those after it
        self.begins = np.isin(prefixes, ["B", "U"])
        self.inside = np.isin(prefixes, ["I", "L"])
        #: True for tags of tokens that may be the first or the last one of an entity
        self.edges = np.isin(prefixes, ["B", "L", "U"] if "L" in self.prefixes else ["B", "I"])
        may_continue = np.isin(prefixes, ["B", "I"])
        self._must_continue = may_continue & ("L" in self.prefixes)
        same = self.label[:, None] == self.label
        #: bool (tags, tags): the second tag belongs to the entity of the first
        self.continues = may_continue[:, None] & self.inside & same

    def names(self, labels: Tuple[str, ...]) -> Tuple[str, ...]:
        """Return the names of the tags, such as ``B-PERSON``."""
        return ("O", *(f"{prefix}-{label}" for label in labels for prefix in self.prefixes))

    def constraints(self) -> Dict[str, np.ndarray]:
        """Return the tags that may follow each other, bool; see `spacy_rnn.nn.crf.Constraints`."""
        must_continue = self._must_continue[:, None]
        return {
            "start": ~self.inside,
            "transitions": np.where(self.inside, self.continues, ~must_continue),
            "end": ~self._must_continue,
            "continues": self.continues,
        }

    def encode(self, iob: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Encode entities as tags.

        iob (np.ndarray): `ent_iob` of each token, int64 (N,).
        labels (np.ndarray): Index of the label of each token, -1 without one, int64 (N,).
        RETURNS (np.ndarray): Tags, int64 (N,), -1 where `ent_iob` is 0: the tag is unknown.
        """
        entity = labels >= 0
        continues = (iob[1:] == IN) & entity[1:] & (labels[1:] == labels[:-1])
        inside = np.concatenate([[False], continues & entity[:-1]])[: len(iob)]
        last = ~np.concatenate([inside[1:], [False]])[: len(iob)]
        places = {"BI": inside * 1, "BILU": np.where(inside, 1 + last, 3 * last)}[self.prefixes]
        tags = np.where(entity, 1 + labels * len(self.prefixes) + places, 0)
        return np.where(iob == UNKNOWN, -1, tags)

    def decode(self, tags: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Decode tags that are valid.

        tags (np.ndarray): Tags, int64 (N,).
        RETURNS (Tuple[np.ndarray, np.ndarray, np.ndarray]): Starts, ends (after the last token) and
            label indices of the entities.
        """
        starts = np.flatnonzero(self.begins[tags])
        outside = np.append(np.flatnonzero(~self.inside[tags]), len(tags))
        ends = outside[np.searchsorted(outside, starts, side="right")]
        return starts, ends, self.label[tags[starts]]


@lru_cache(maxsize=32)
def tag_scheme(name: str, n_labels: int) -> TagScheme:
    """Return a `TagScheme`. It is cached, because making its tables takes longer than decoding the
    tags of a sentence."""
    return TagScheme(name, n_labels)
