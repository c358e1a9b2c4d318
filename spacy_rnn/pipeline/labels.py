"""Base of the components that predict labels."""

from __future__ import annotations

from typing import Any, Container, Dict, Sequence, Tuple

import numpy as np
from spacy.errors import Errors

from .base import RNNPipe


class LabelPipe(RNNPipe):
    """Base of the components with labels, which the network has outputs for.

    A subclass adds `output_sizes` to what `RNNPipe` needs. Here labels are one list; a component
    with more to say of its labels overrides `labels`, `label_data` and `add_label`.
    """

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels, in the order of the network's outputs (Tuple[str, ...])."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> Any:
        """The labels as `initialize` takes them; ``spacy init labels`` saves them (List[str])."""
        return self.cfg["labels"]

    @property
    def output_sizes(self) -> Dict[str, int]:
        """The number of the network's outputs for each target (Dict[str, int])."""
        raise NotImplementedError

    def add_label(self, label: str) -> int:
        """Add a label. A trained network gets an output for it, and keeps its other weights.

        label (str): The label.
        RETURNS (int): 0 if the label is already present, otherwise 1.
        """
        if self._has_label(label, self.cfg["labels"]):
            return 0
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        self._resize_output()
        return 1

    def _has_label(self, label: Any, labels: Container[str]) -> bool:
        """Return True if a label is among `labels`.

        RAISES (ValueError): If it is not a string.
        """
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        return label in labels

    def _resize_output(self) -> None:
        """Add the outputs of new labels to a network that is already built."""
        if self.shim.is_built:
            self.shim.resize(self.output_sizes)

    def _check_loaded(self) -> None:
        """Check that the network has an output for each label."""
        shim, sizes = self.shim, self.output_sizes
        if shim.is_built and shim.outputs != sizes:
            raise ValueError(f"The labels need the outputs {sizes}, the network has {shim.outputs}")

    def _unknown_label_error(self, kind: str, label: str) -> ValueError:
        """Make the error of a training example whose label is not one of the component's.

        kind (str): What the label is, such as "entity".
        """
        return ValueError(
            f"The training data has the {kind} '{label}', which '{self.name}' does not know. "
            f"Initialize with all of the training data ('spacy init labels' writes the labels of a "
            f"corpus), or add it: nlp.get_pipe({self.name!r}).add_label({label!r})."
        )

    def _class_weight_array(self, labels: Sequence[str]) -> np.ndarray:
        """The setting `class_weights` as float32 (labels,).

        RAISES (ValueError): If it names an unknown label.
        """
        weights = self.cfg["class_weights"]
        unknown = [label for label in weights if label not in self.labels]
        if unknown:
            raise ValueError(
                f"'class_weights' of '{self.name}' names {unknown}, which are none of its labels "
                f"{list(self.labels)}."
            )
        return np.array([weights.get(label, 1.0) for label in labels], dtype="float32")
