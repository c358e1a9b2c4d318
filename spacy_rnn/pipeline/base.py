"""Base of all components: training and errors."""

from __future__ import annotations

import logging
from collections import Counter
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from ..architectures.base import input_of_doc
from ..config.signature import to_config
from ..features.vocabulary import TEXT
from ..runtime.attribution import AttributionTarget, EncoderInput
from ..runtime.engine import EngineSettings
from ..runtime.model import Targets, begin_update
from ..runtime.shim import TorchShim, shim_of
from .annotation import LOST_BY_READERS, annotation_of, has_annotation
from .reports import ExampleStats, ReadLimits
from .storing import StoredPipe

logger = logging.getLogger("spacy_rnn")

#: a loss, and the callback that adds its gradient, times a factor, to those of the weights
LossAndBackprop = Tuple[float, Callable[[float], None]]


class RNNPipe(StoredPipe):
    """Base of the components.

    A subclass implements, in the order in which they are called:

    register_extensions: Registers the Doc, Token and Span extensions that the settings name, if
        there are any.
    gold_annotation: The names of the annotation that the component learns from.
    initialize: Collects labels and vocabularies, and builds the network; `training_examples` and
        `missing_data_error` are for it.
    can_train_on: Filters the examples of a batch; by default those that are not empty.
    get_targets: The gold annotation of a batch with its loss; `iter_losses` instead, if one batch
        takes several losses.
    predict: Predictions for docs.
    set_annotations: Writes predictions to docs.

    Reports and analyses call these:

    example_stats, read_limits, labels_without_negatives: The contents of an example, how much is
        read at once, and labels that a corpus cannot teach; they have defaults.
    encoder_inputs, attribution_target: The vectors that the encoder reads of a doc, and a
        prediction as a differentiable score of them.

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model of the network.
    name (str): The component's name in the pipeline.
    settings (EngineSettings): The component's settings.
    scorer (Optional[Callable]): The scoring method.
    **state: Initial values of what belongs to the weights.
    """

    #: True if a component takes its share of a batch that several processes train on by itself;
    #: otherwise each process gives it other examples of the batch
    reads_whole_batches = False
    #: True after training has warned of examples without annotation
    _warned_of_missing = False
    #: True after the first update
    _was_updated = False

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        settings: EngineSettings,
        scorer: Optional[Callable],
        **state: Any,
    ):
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {**to_config(settings), **state}
        self.shim.engine.name = settings.engine
        self.register_extensions()

    @property
    def shim(self) -> TorchShim:
        """The shim of the model, which holds the torch module (TorchShim)."""
        shim = shim_of(self.model)
        return shim

    # Training

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        """The names of the annotation that the component learns from, such as "doc.cats", of which
        an example needs at least one; empty if it learns from the text itself (Tuple[str, ...])."""
        return ()

    def lacks_annotation(self, example: Example) -> bool:
        """Return True if an example has tokens, but no annotation to learn from.

        example (Example): The example.
        RETURNS (bool): True if all of `gold_annotation` is missing.
        """
        doc, names = example.reference, self.gold_annotation
        return bool(len(doc) and names and not any(has_annotation(doc, name) for name in names))

    def can_train_on(self, example: Example) -> bool:
        """Return True if an example may be in a batch of `get_targets`.

        example (Example): The example.
        RETURNS (bool): By default, True if it has tokens.
        """
        return len(example.predicted) > 0

    def get_targets(self, examples: List[Example]) -> Targets:
        """Get the gold annotation of a batch, as its loss takes it.

        examples (List[Example]): The examples, filtered by `can_train_on`.
        RETURNS (Targets): The annotation and its loss.
        """
        raise NotImplementedError

    def iter_losses(self, examples: List[Example]) -> Iterator[LossAndBackprop]:
        """Run the network on a batch; by default once, with the annotation of `get_targets`.

        examples (List[Example]): The examples, filtered by `can_train_on`.
        YIELDS (Tuple[float, Callable]): A loss and the callback that accumulates its gradient, for
            each part of the batch that is read at once.
        """
        targets = self.get_targets(examples)
        # A shared tok2vec waits for the gradients of all components that listen to it.
        if targets.n_items or self.model.layers:
            yield begin_update(self.model, [eg.predicted for eg in examples], targets)

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
        self._was_updated = True
        self._warn_of_missing_annotation(examples)
        usable = [eg for eg in examples if self.can_train_on(eg)]
        if not usable:
            return losses
        set_dropout_rate(self.model, drop)
        self._backprop(self.iter_losses(usable), losses)
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def _backprop(self, steps: Iterable[LossAndBackprop], losses: Dict[str, float]) -> None:
        """Accumulate the gradients of `steps`, and add their losses to the record."""
        for loss, backprop in steps:
            backprop(1.0)
            # One bad batch must not hide the losses of all later ones.
            losses[self.name] += loss if np.isfinite(loss) else 0.0

    def _warn_of_missing_annotation(self, examples: Iterable[Example]) -> None:
        """Warn of examples that lack annotation, once in a training."""
        if self._warned_of_missing:
            return
        lacking = [self.lacks_annotation(eg) for eg in examples]
        self._warned_of_missing = any(lacking)
        if self._warned_of_missing:
            logger.warning(
                "'%s' finds no %s in %d of the %d training examples of a batch. %s (Later batches "
                "are not reported.)",
                self.name,
                " or ".join(self.gold_annotation),
                sum(lacking),
                len(lacking),
                LOST_BY_READERS,
            )

    def get_training_state(self) -> Dict[str, Any]:
        """Get what only training needs beside the weights and the optimizer, between two steps, for
        checkpoints.

        RETURNS (Dict[str, Any]): The state, as data for msgpack.
        """
        return {"shim": self.shim.get_training_state()}

    def set_training_state(self, state: Dict[str, Any]) -> None:
        """Restore what `get_training_state` returned.

        state (Dict[str, Any]): The state.
        """
        self.shim.set_training_state(state["shim"])

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Not supported; see `RehearsingPipe` for the components that can rehearse.

        RAISES (NotImplementedError): Always.
        """
        raise NotImplementedError(
            f"'{self.name}' cannot rehearse: only taggers, entity recognizers and text classifiers "
            f"can. Leave it out, nlp.rehearse(..., exclude=[{self.name!r}]), and mix some of its "
            f"earlier training data with the new."
        )

    def training_examples(self, get_examples: Callable[[], Iterable[Example]]) -> List[Example]:
        """Get all training examples, for `initialize`.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples.
        RETURNS (List[Example]): The examples.
        RAISES (ValueError): If there are none.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        examples = list(get_examples())
        if not examples:
            raise self.missing_data_error(get_examples, f"'{self.name}' has nothing to learn from.")
        return examples

    def missing_data_error(
        self, get_examples: Callable[[], Iterable[Example]], problem: str, cure: str = ""
    ) -> ValueError:
        """Make the error of a training corpus without the annotation that the component needs. Its
        message lists the annotation that was found.

        problem (str): What is missing.
        cure (str): What to do if there are examples, but without the annotation.
        """
        n_examples, n_lacking, counts = 0, 0, Counter[str]()
        for eg in get_examples():
            n_examples += 1
            n_lacking += self.lacks_annotation(eg)
            counts.update(annotation_of(eg.reference))
        if not n_examples:
            return ValueError(
                f"{problem} The training corpus has no examples: check its path and max_length, "
                f"what its reader logs, and that it supports such files. spacy.Corpus.v1 reads "
                f".spacy files only, spacy_rnn.Corpus.v1 reads CSV, JSON, CoNLL and others."
            )
        found = ", ".join(f"{name} in {count}" for name, count in counts.most_common())
        return ValueError(
            f"{problem} Examples read: {n_examples} ({found or 'none is annotated'}). {cure}"
            + f" {LOST_BY_READERS}" * bool(n_lacking)
        )

    # Reports on corpora

    def example_stats(self, example: Example) -> ExampleStats:
        """Get the words and labels of an example.

        example (Example): The example.
        RETURNS (ExampleStats): Its contents.
        RAISES (ValueError): If the annotation is bad, as in training.
        """
        return ExampleStats({TEXT: [token.text for token in example.predicted]})

    def labels_without_negatives(self, examples: Iterable[Example]) -> List[str]:
        """Find labels for which there is no negative example, so that predicting them everywhere
        would not be an error.

        examples (Iterable[Example]): The examples of a corpus.
        RETURNS (List[str]): The labels; none, if the component's labels exclude each other.
        """
        return []

    @property
    def read_limits(self) -> ReadLimits:
        """Limits on what is read of a document and at once (ReadLimits)."""
        limits = self.model.attrs["limits"]
        return ReadLimits(limits.batch_tokens, limits.window)

    # Analysis of predictions

    def encoder_inputs(self, doc: Doc) -> List[EncoderInput]:
        """Get the vectors that the network's encoder reads of a document.

        doc (Doc): The document.
        RETURNS (List[EncoderInput]): One input for each encoder.
        """
        return [input_of_doc(self.model, doc)]

    def attribution_target(self, doc: Doc, *args: Any, **kwargs: Any) -> AttributionTarget:
        """Make one prediction for a document a target for attribution.

        doc (Doc): The document.
        *args, **kwargs: What identifies the prediction, such as a token and a label.
        RETURNS (AttributionTarget): Its score as a differentiable function of the encoder's input.
        """
        raise NotImplementedError

    # Compressing

    def write_graphs(self, docs: Sequence[Doc], int8: bool = False) -> None:
        """Write the network as ONNX graphs, which are saved with the component and run by the
        engine "onnx".

        docs (Sequence[Doc]): Typical documents, on which the ranges of numbers are measured.
        int8 (bool): Compute with 8-bit integers, and store tables so.
        RAISES (TypeError): If a part of the network has no graph.
        RAISES (ValueError): If ONNX has no operator for a cell, or the engine is "onnx" already.
        """
        from ..onnx.bounds import measured_bounds
        from ..onnx.networks import write_graphs

        shim = self.shim
        shim.engine.begin_change()
        with measured_bounds(shim.module) as bounds:
            self.model.predict(list(docs))
        shim.engine.replace_graphs(write_graphs(shim.module, bounds if int8 else None))
