"""Entities as tags of tokens, and back (Ratinov and Roth 2009, section 5)."""

from typing import Dict, Tuple

import numpy as np

#: where in its entity a tag's token stands: Begin, In, Last, or Unit, an entity of one token
PREFIXES = {"bio": "BI", "biluo": "BILU"}
#: values of token.ent_iob
UNKNOWN, IN, OUT, BEGIN = range(4)


class Scheme:
    """The tags of a scheme for a number of labels: tag 0 is O, then come those of each label.

    name: "bio" or "biluo".
    """

    def __init__(self, name: str, n_labels: int):
        self.prefixes = PREFIXES[name]
        self.n_tags = 1 + n_labels * len(self.prefixes)
        prefixes = ["O", *self.prefixes * n_labels]
        #: the label of each tag, -1 of O
        self.label = np.array([-1, *np.repeat(np.arange(n_labels), len(self.prefixes))])
        #: tags of the first token of an entity, and of the ones after it
        self.begins = np.isin(prefixes, ["B", "U"])
        self.inside = np.isin(prefixes, ["I", "L"])
        #: tags that may be those of the first or the last token
        self.edges = np.isin(prefixes, ["B", "L", "U"] if "L" in self.prefixes else ["B", "I"])
        may_go_on = np.isin(prefixes, ["B", "I"])
        self._must_go_on = may_go_on & ("L" in self.prefixes)
        same = self.label[:, None] == self.label
        #: bool (tags, tags): the second tag belongs to the entity of the first
        self.continues = may_go_on[:, None] & self.inside & same

    def names(self, labels: Tuple[str, ...]) -> Tuple[str, ...]:
        """The tags as they are written, such as ``B-PERSON``."""
        return ("O", *(f"{prefix}-{label}" for label in labels for prefix in self.prefixes))

    def constraints(self) -> Dict[str, np.ndarray]:
        """What may follow what, bool; see `spacy_rnn.nn.crf.Constraints`."""
        goes_on = self._must_go_on[:, None]
        return {
            "start": ~self.inside,
            "transitions": np.where(self.inside, self.continues, ~goes_on),
            "end": ~self._must_go_on,
            "continues": self.continues,
        }

    def encode(self, iob: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Tags, int64 (N,), from the `ent_iob` of tokens and the number of their label, -1 where
        they have none. Of tokens whose `ent_iob` is 0 the tag is not known: -1."""
        entity = labels >= 0
        goes_on = (iob[1:] == IN) & entity[1:] & (labels[1:] == labels[:-1])
        inside = np.concatenate([[False], goes_on & entity[:-1]])[: len(iob)]
        last = ~np.concatenate([inside[1:], [False]])[: len(iob)]
        places = {"BI": inside * 1, "BILU": np.where(inside, 1 + last, 3 * last)}[self.prefixes]
        tags = np.where(entity, 1 + labels * len(self.prefixes) + places, 0)
        return np.where(iob == UNKNOWN, -1, tags)

    def decode(self, tags: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The entities of valid tags (N,): their starts, their ends (after the last token) and
        the numbers of their labels."""
        starts = np.flatnonzero(self.begins[tags])
        outside = np.append(np.flatnonzero(~self.inside[tags]), len(tags))
        ends = outside[np.searchsorted(outside, starts, side="right")]
        return starts, ends, self.label[tags[starts]]
