"""A pipeline as it is when training starts, with its corpora."""

from functools import cache
from itertools import islice
from typing import Any, Dict, List, NamedTuple, Sequence

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import subdivide_batch
from spacy.util import (
    get_sourced_components,
    load_model_from_config,
    registry,
    resolve_dot_names,
)
from thinc.api import Config, fix_random_seed

from ..pipeline.base import RNNPipe
from .corpus import n_left_out

#: examples of a streamed corpus that spaCy initializes with, and that are inspected
N_INITIAL, N_STREAMED = 100, 10_000


class Setup(NamedTuple):
    """The pipeline, the corpora and the settings of a training.

    nlp (Language): The pipeline.
    pipes (Dict[str, RNNPipe]): Recurrent networks that are trained, initialized.
    annotating (List[str]): Names of components whose annotation others read in training: those of
        [training] annotating_components, and those that networks listen to.
    train (List[Example]): The training corpus.
    dev (List[Example]): The dev corpus.
    streamed (bool): Both are only the first examples of streams.
    left_out (Dict[str, int]): Tokens of the files that the reader leaves out, by corpus; 0 for
        streams.
    training (Dict[str, Any]): [training] of the config, resolved.
    """

    nlp: Language
    pipes: Dict[str, RNNPipe]
    annotating: List[str]
    train: List[Example]
    dev: List[Example]
    streamed: bool
    left_out: Dict[str, int]
    training: Dict[str, Any]

    def batches(self) -> List[List[Example]]:
        """Return the batches of an epoch."""
        return [
            part
            for batch in self.training["batcher"](self.train)
            for part in subdivide_batch(batch, self.training["accumulate_gradient"])
        ]

    def annotate(self, examples: Sequence[Example]) -> None:
        """Set the annotation that components set on predicted docs in training."""
        for name in self.annotating:
            pipe = self.nlp.get_pipe(name)
            for eg in examples:
                eg.predicted = pipe(eg.predicted)


def set_up(config: Config) -> Setup:
    """Initialize the recurrent networks of a config, and components that annotate for them, as
    `spacy.training.initialize.init_nlp` does. Other components are not initialized.

    config (Config): The config.
    RETURNS (Setup): The pipeline and its corpora.
    RAISES (ValueError, OSError, ImportError): If the config is not complete, has nothing to
        inspect, or its data are missing or cannot be learned from.
    """
    nlp = load_model_from_config(config, auto_fill=True)
    filled = nlp.config.interpolate()
    training: Any = registry.resolve(filled["training"], schema=ConfigSchemaTraining)
    frozen = training["frozen_components"]
    pipes: Dict[str, Any] = {
        name: pipe
        for name, pipe in nlp.pipeline
        if isinstance(pipe, RNNPipe) and name not in frozen
    }
    if not pipes:
        raise ValueError(
            f"The config trains no component of spacy-rnn; its components: "
            f"{', '.join(nlp.pipe_names) or 'none'}. 'python -m spacy rnn init-config --task "
            f"TASK' makes a config with one."
        )
    if training["seed"] is not None:
        fix_random_seed(training["seed"])
    streamed = training["max_epochs"] == -1
    corpora = resolve_dot_names(filled, [training["train_corpus"], training["dev_corpus"]])

    @cache
    def read(part: int) -> List[Example]:
        examples = list(islice(corpora[part](nlp), N_STREAMED if streamed else None))
        if not examples:
            name = ("train", "dev")[part]
            raise ValueError(
                f"The corpus of [training] {name}_corpus has no documents. Check --paths.{name} "
                f"and the settings of its reader, such as limit and max_length."
            )
        return examples

    kept = {*frozen, *get_sourced_components(config)}
    annotating = [
        name
        for name, pipe in nlp.pipeline
        if name in training["annotating_components"]
        or not pipes.keys().isdisjoint(getattr(pipe, "listening_components", ()))
    ]
    new = {*pipes, *annotating} - kept
    with nlp.select_pipes(enable=list(new)):
        # Read as late as in training: until then, callbacks may change the tokenizer.
        nlp.initialize(lambda: read(0)[: N_INITIAL if streamed else None])
    left_out = {
        part: 0 if streamed else n_left_out(reader, nlp.vocab)
        for part, reader in zip(("train", "dev"), corpora, strict=True)
    }
    return Setup(nlp, pipes, annotating, read(0), read(1), streamed, left_out, training)
