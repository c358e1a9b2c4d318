"""Labels as values of token attributes."""

from typing import Iterable

import numpy as np
from spacy.attrs import MORPH, POS, TAG
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.vocab import Vocab

#: the token attribute of each target of a tagger
ATTRIBUTES = {"tag": TAG, "pos": POS, "morph": MORPH}


def attribute_value(target: str, label: str, vocab: Vocab) -> int:
    """Get the stored value of a label. It is the same in all vocabularies.

    target (str): The target, "tag", "pos" or "morph".
    label (str): The label.
    vocab (Vocab): The vocabulary, which the label is added to.
    RETURNS (int): The value.
    RAISES (ValueError): If it is not a part of speech of Universal Dependencies, for "pos".
    """
    if target == "tag":
        # Not only for a memory zone: the component keeps the value.
        return vocab.strings.add(label, allow_transient=False)  # type: ignore[call-arg]
    if target == "morph":
        return vocab.morphology.add(label)
    if label not in POS_IDS or not label:
        raise ValueError(
            f"'{label}' is not a coarse part of speech: token.pos takes those of Universal "
            f"Dependencies (NOUN, VERB, ...). Use the target 'tag' for other tag sets."
        )
    return POS_IDS[label]


def attribute_values(target: str, labels: Iterable[str], vocab: Vocab) -> np.ndarray:
    """Get the stored values of labels; see `attribute_value`.

    target (str): The target.
    labels (Iterable[str]): The labels.
    vocab (Vocab): The vocabulary, which the labels are added to.
    RETURNS (np.ndarray): uint64 (labels,).
    """
    return np.array([attribute_value(target, label, vocab) for label in labels], dtype="uint64")
