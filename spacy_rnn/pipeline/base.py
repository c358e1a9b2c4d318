"""What all components share: training, loading and its errors."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Container,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
from spacy.attrs import ORTH
from spacy.errors import Errors
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from srsly.msgpack import UnpackException
from thinc.api import Model, Optimizer, set_dropout_rate

from ..runtime.attribution import EncoderInput, Question, input_of_doc
from ..runtime.model import Gold, begin_update
from ..runtime.shim import TorchShim, shim_of
from ..validation import rate
from .annotation import LOST_BY_READERS, annotation_of, has_annotation

logger = logging.getLogger("spacy_rnn")

#: what a component reads, where it reads one thing
TEXT = "text"


class Contents(NamedTuple):
    """What an example holds for a component, for reports on a corpus.

    words: those that are read, by what is read: `TEXT`, or the sides of a pair.
    labels: for each target that is annotated its labels, each as often as it is annotated, or its
        numbers.
    lost: how much annotation cannot be learned from or found, by reason.
    """

    words: Dict[str, List[str]]
    labels: Dict[str, List[Any]] = {}
    lost: Dict[str, int] = {}


@dataclass(frozen=True)
class Bounds:
    """How much a component reads, in tokens; None for no bound.

    batch: at once in prediction, padding counted.
    window: of a document at once in prediction.
    max_length: of a document; the rest is left out.
    step: units at once in training, whatever the batch.
    """

    batch: int
    window: Optional[int] = None
    max_length: Optional[int] = None
    step: Optional[int] = None


class RNNPipe(TrainablePipe):
    """Base of the components. A subclass says what its network puts out (`outputs`), what it learns
    from (`get_gold`), predicts and sets, and what can be asked about a prediction (`question`).

    `cfg` holds the settings of the config and what belongs to the weights: of a saved `cfg` only
    the latter (`LEARNED`) is read again, so that the settings of config.cfg hold.
    """

    LEARNED: Tuple[str, ...] = ("labels",)
    #: of a document, and of what names one of its predictions: why it is what it is
    question: Callable[..., Question]
    #: whether training has warned of examples that lack annotation
    _warned_of_missing = False

    def __init__(
        self, vocab: Vocab, model: Model, name: str, *, scorer: Optional[Callable], **cfg: Any
    ):
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: Dict[str, Any] = cfg
        self.register_extensions()
        rate(label_smoothing=cfg.get("label_smoothing", 0.0))

    @property
    def shim(self) -> TorchShim:
        """Holds the torch module."""
        shim = shim_of(self.model)
        return shim

    @property
    def outputs(self) -> Dict[str, int]:
        """How many outputs the network has for each target."""
        raise NotImplementedError

    def register_extensions(self) -> None:
        """Make the extensions known that the settings name. They belong to the process: each in
        which the component is made, loaded, unpickled or copied needs them."""

    @property
    def annotation(self) -> Tuple[str, ...]:
        """The names of the gold annotation that the component learns from, of which an example has
        at least one, such as "doc.cats"; none if it is the text itself."""
        return ()

    def lacks_annotation(self, example: Example) -> bool:
        """Whether an example has tokens, but no annotation that the component learns from."""
        doc, names = example.reference, self.annotation
        return bool(len(doc) and names and not any(has_annotation(doc, name) for name in names))

    def never_absent(self, examples: Iterable[Example]) -> List[str]:
        """The labels that no example is annotated to lack, if the component finds any number of
        labels: to predict them everywhere would be no error."""
        return []

    def can_learn_from(self, example: Example) -> bool:
        """Whether an example is part of the batches of `get_gold`."""
        return len(example.predicted) > 0

    def get_gold(self, examples: List[Example]) -> Gold:
        """The annotation of a batch, as its loss takes it."""
        raise NotImplementedError

    def begin_updates(
        self, examples: List[Example]
    ) -> Iterator[Tuple[float, Callable[[float], Any]]]:
        """The losses of a batch of examples that `can_learn_from` lets through, one for each part
        of it that is read at once, and what adds the gradient of each up."""
        gold = self.get_gold(examples)
        # Those that share a tok2vec wait for the gradient of each of them.
        if gold.n_items or self.model.layers:
            yield begin_update(self.model, [eg.predicted for eg in examples], gold)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a batch of examples.

        examples (Iterable[Example]): A batch of Example objects.
        drop (float): The rate of locked dropout.
        sgd (thinc.api.Optimizer): The optimizer; without one, gradients add up until
            finish_update.
        losses (Dict[str, float]): Optional record of the loss, summed over tokens.
        RETURNS (Dict[str, float]): The updated losses dictionary.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, f"{type(self).__name__}.update")
        self._warn_of_missing(examples)
        annotated = [eg for eg in examples if self.can_learn_from(eg)]
        if not annotated:
            return losses
        set_dropout_rate(self.model, drop)
        self._add_up(self.begin_updates(annotated), losses)
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def _add_up(
        self, updates: Iterable[Tuple[float, Callable[[float], Any]]], losses: Dict[str, float]
    ) -> None:
        """Add up the gradients and the losses of updates; see `begin_updates`."""
        for loss, backprop in updates:
            backprop(1.0)
            # One bad batch must not hide the losses of all later ones.
            losses[self.name] += loss if np.isfinite(loss) else 0.0

    def _warn_of_missing(self, examples: Iterable[Example]) -> None:
        """Warn once in a training of examples that lack annotation."""
        if self._warned_of_missing:
            return
        lacking = [self.lacks_annotation(eg) for eg in examples]
        self._warned_of_missing = any(lacking)
        if self._warned_of_missing:
            logger.warning(
                "'%s' finds no %s in %d of the %d training examples of a batch. %s (Later batches "
                "are not reported.)",
                self.name,
                " or ".join(self.annotation),
                sum(lacking),
                len(lacking),
                LOST_BY_READERS,
            )

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Raise an error: only a `RehearsingPipe` can learn from its own earlier predictions."""
        raise NotImplementedError(
            f"'{self.name}' cannot rehearse: only taggers, entity recognizers and text classifiers "
            f"can. Leave it out, nlp.rehearse(..., exclude=[{self.name!r}]), and mix some of its "
            f"earlier training data with the new."
        )

    def _training_examples(self, get_examples: Callable[[], Iterable[Example]]) -> List[Example]:
        """All training examples. Raises a ValueError if there are none."""
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        examples = list(get_examples())
        if not examples:
            raise self._nothing_to_learn(get_examples, f"'{self.name}' has nothing to learn from.")
        return examples

    def _nothing_to_learn(
        self, get_examples: Callable[[], Iterable[Example]], problem: str, cure: str = ""
    ) -> ValueError:
        """The error of a training corpus that lacks what the component learns, which says what was
        read.

        problem (str): What is missing.
        cure (str): What to do where there are examples, but without the annotation.
        """
        n_examples, n_lacking, counts = 0, 0, Counter[str]()
        for eg in get_examples():
            n_examples += 1
            n_lacking += self.lacks_annotation(eg)
            counts.update(annotation_of(eg.reference))
        if not n_examples:
            return ValueError(
                f"{problem} The training corpus has no examples: check its path and max_length, "
                f"and that its reader knows such files. spacy.Corpus.v1 reads .spacy files only, "
                f"spacy_rnn.HFDataset.v1 reads CSV, JSON and others."
            )
        found = ", ".join(f"{name} in {count}" for name, count in counts.most_common())
        return ValueError(
            f"{problem} Examples read: {n_examples} ({found or 'none is annotated'}). {cure}"
            + f" {LOST_BY_READERS}" * bool(n_lacking)
        )

    # What reports tell

    def contents(self, example: Example) -> Contents:
        """What an example holds. Bad annotation raises a ValueError, as in training."""
        return Contents({TEXT: [token.text for token in example.predicted]})

    @property
    def bounds(self) -> Bounds:
        """How much is read at once, and of a document."""
        limits = self.model.attrs["limits"]
        return Bounds(limits.batch_tokens, limits.window)

    def encoder_inputs(self, doc: Doc) -> List[EncoderInput]:
        """What each encoder of the network reads of a document."""
        return [input_of_doc(self.model, doc)]

    # Labels

    def _has_label(self, label: Any, labels: Container[str]) -> bool:
        """Whether a label is among those there are. Raises a ValueError if it is no string."""
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        return label in labels

    def _labels_grew(self) -> None:
        """Make room for new labels in a network that is there."""
        if self.shim.is_built:
            self.shim.resize(self.outputs)

    def _unknown(self, what: str, label: str) -> ValueError:
        """The error of a training example whose label is none of the component's."""
        return ValueError(
            f"The training data has the {what} '{label}', which '{self.name}' does not know. "
            f"Initialize with all of the training data ('spacy init labels' writes the labels of a "
            f"corpus), or add it: nlp.get_pipe({self.name!r}).add_label({label!r})."
        )

    def _weights_of(self, labels: Sequence[str]) -> Optional[np.ndarray]:
        """The setting `class_weights` as float32 (labels,), None where it says nothing."""
        factors = self.cfg["class_weights"]
        if not factors:
            return None
        unknown = [label for label in factors if label not in self.labels]
        if unknown:
            raise ValueError(
                f"'class_weights' of '{self.name}' names {unknown}, which are none of its labels "
                f"{list(self.labels)}."
            )
        return np.array([factors.get(label, 1.0) for label in labels], dtype="float32")

    # Storing

    def from_disk(self, path: Any, *, exclude: Iterable[str] = tuple()) -> RNNPipe:
        """Load the component from a directory. Raises a ValueError where its files are damaged, of
        a newer format, or do not fit the config."""
        with self._loading(f"from {path}"):
            return super().from_disk(path, exclude=exclude)

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = tuple()) -> RNNPipe:
        """Load the component from bytes; raises as `from_disk` does."""
        with self._loading("from bytes"):
            return super().from_bytes(bytes_data, exclude=exclude)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self.register_extensions()

    @contextlib.contextmanager
    def _loading(self, source: str) -> Iterator[None]:
        settings = {key: value for key, value in self.cfg.items() if key not in self.LEARNED}
        try:
            yield
            self.cfg.update(settings)
        except (ValueError, KeyError, TypeError, IndexError, UnpackException) as error:
            raise ValueError(
                f"Can't load the component '{self.name}' {source}: {error or 'incomplete file'}. "
                f"If the files were copied or downloaded, do so again; else train again."
            ) from error
        self.register_extensions()


def aligned_values(example: Example, attribute: Any) -> np.ndarray:
    """The gold values of a token attribute for each predicted token, uint64; 0 where there is none
    or where the tokens differ."""
    predicted, reference = example.predicted, example.reference
    words = predicted.to_array([ORTH])
    if len(predicted) == len(reference) and (words == reference.to_array([ORTH])).all():
        return reference.to_array([attribute]).reshape(-1)
    values = example.get_aligned(attribute)
    return np.array([0 if value is None else value for value in values], dtype="uint64")
