"""Conditions of a language model: the vectors from which documents start."""

from dataclasses import dataclass
from typing import Iterable, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from spacy.tokens import Doc

#: a condition as users pass it: labels with values, or a vector
Condition = Union[Mapping[str, float], Sequence[float], np.ndarray]
#: the setting `condition` for the labels of a document
CATS = "cats"


@dataclass(frozen=True)
class ConditionReader:
    """Reads the conditions of documents.

    name (str): The name of the component, for errors.
    setting (str): `CATS`, or the name of a Doc extension with a vector.
    labels (Tuple[str, ...]): The labels, for `CATS`.
    size (int): Width of the vectors; 0 if it is not known yet.
    """

    name: str
    setting: str
    labels: Tuple[str, ...]
    size: int

    @property
    def annotation(self) -> str:
        """The name of the annotation that is read."""
        return "doc.cats" if self.setting == CATS else f"doc._.{self.setting}"

    def find_size(self, docs: Iterable[Doc]) -> int:
        """The width of the vectors of training documents.

        docs (Iterable[Doc]): The documents.
        RETURNS (int): The width.
        RAISES (ValueError): If no document has a condition.
        """
        if self.setting == CATS and self.labels:
            return len(self.labels)
        if self.setting != CATS:
            for vector in map(self._extension_vector, docs):
                if vector is not None:
                    return len(vector)
        raise ValueError(
            f"'{self.name}' starts from {self.annotation}, but no training document has it. Set it "
            f"(and save it with DocBin(store_user_data=True)), or set condition to null."
        )

    def vectors(self, docs: Sequence[Doc]) -> np.ndarray:
        """The conditions of documents.

        docs (Sequence[Doc]): The documents.
        RETURNS (np.ndarray): Their vectors, float32 (docs, C); zeros for a document without one.
        RAISES (ValueError): If a document has a vector of another width.
        """
        vectors = np.zeros((len(docs), self.size), dtype="float32")
        for row, doc in zip(vectors, docs, strict=True):
            if self.setting == CATS:
                row[:] = [doc.cats.get(label, 0.0) for label in self.labels]
                continue
            vector = self._extension_vector(doc)
            if vector is not None and len(vector) != len(row):
                raise ValueError(
                    f"'{self.name}' starts from vectors of {len(row)} numbers in "
                    f"{self.annotation}, but a document has one of {len(vector)}."
                )
            row[:] = 0.0 if vector is None else vector
        return vectors

    def vector(self, condition: Optional[Condition]) -> np.ndarray:
        """A condition that a user passes.

        condition (Optional[Condition]): The condition; None for a vector of zeros.
        RETURNS (np.ndarray): The vector, float32 (C,).
        RAISES (ValueError): If it does not fit the model.
        """
        if condition is None:
            return np.zeros(self.size, dtype="float32")
        if self.setting == CATS:
            if not isinstance(condition, Mapping) or set(condition) - set(self.labels):
                raise ValueError(
                    f"The condition of '{self.name}' must be a dictionary of some of its labels "
                    f"{list(self.labels)} with their values, got {condition!r}."
                )
            condition = [condition.get(label, 0.0) for label in self.labels]
        try:
            vector = np.asarray(condition, dtype="float32").reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The condition of '{self.name}' must be {self.size} numbers, got {condition!r}."
            ) from error
        if len(vector) != self.size:
            raise ValueError(
                f"The condition of '{self.name}' must be a vector of {self.size} numbers, got "
                f"{len(vector)}."
            )
        return vector

    def _extension_vector(self, doc: Doc) -> Optional[np.ndarray]:
        vector = doc._.get(self.setting)
        try:
            return None if vector is None else np.asarray(vector, dtype="float32").reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"'{self.name}' starts from vectors of numbers in {self.annotation}, but a "
                f"document has {vector!r}."
            ) from error
