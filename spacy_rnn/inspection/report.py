"""All that is said of a config and its corpora."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from spacy.training import Example

from ..pipeline.base import ExampleStats, ReadLimits, RNNPipe
from .corpus import Corpus, describe, n_leaked
from .labels import Target, targets
from .memory import Memory, estimate
from .setup import Setup
from .vocabulary import Vocabulary, vocabularies


@dataclass(frozen=True)
class Component:
    """What is said of a component; by corpus is by "train" and "dev".

    vocabularies: by what is read and by name.
    annotation: names of what it learns from, if that is not the text itself.
    unannotated: by corpus, how many documents with tokens lack that.
    never_absent: by corpus, the labels that no document is annotated to lack, where that is needed.
    lost: by corpus, how much annotation cannot be learned from, by reason.
    cut, windowed: by corpus, how many documents are longer than the component reads at all, and at
        once in prediction.
    """

    factory: str
    bounds: ReadLimits
    vocabularies: Dict[str, Dict[str, Vocabulary]]
    targets: Dict[str, Target]
    annotation: Sequence[str]
    unannotated: Dict[str, int]
    never_absent: Dict[str, List[str]]
    lost: Dict[str, Dict[str, int]]
    cut: Dict[str, int]
    windowed: Dict[str, int]
    memory: Memory


@dataclass(frozen=True)
class Report:
    """All that is said.

    streamed: whether only the first documents of both corpora were looked at.
    left_out: by corpus, tokens of its files that its reader leaves out.
    leaked: how many documents of the dev corpus are in the training corpus too.
    """

    streamed: bool
    train: Corpus
    dev: Corpus
    left_out: Dict[str, int]
    leaked: int
    components: Dict[str, Component]


def report(setup: Setup) -> Report:
    """Look into the corpora of a pipeline that is initialized."""
    train, dev = (describe([len(eg.predicted) for eg in part]) for part in (setup.train, setup.dev))
    texts = ([eg.reference.text for eg in part] for part in (setup.train, setup.dev))
    batches = setup.batches()
    return Report(
        streamed=setup.streamed,
        train=train,
        dev=dev,
        left_out=setup.left_out,
        leaked=n_leaked(*texts),
        components={
            name: _component(setup, name, pipe, batches) for name, pipe in setup.pipes.items()
        },
    )


def _component(
    setup: Setup, name: str, pipe: RNNPipe, batches: Sequence[List[Example]]
) -> Component:
    corpora = {"train": setup.train, "dev": setup.dev}
    found = {
        part: [pipe.example_stats(eg) for eg in examples] for part, examples in corpora.items()
    }
    words = {part: _words(contents) for part, contents in found.items()}
    annotation = {part: [each.labels for each in contents] for part, contents in found.items()}
    bounds, training = pipe.read_limits, setup.training
    window = bounds.window
    if window is not None and bounds.max_length is not None and bounds.max_length <= window:
        window = None
    return Component(
        factory=setup.nlp.get_pipe_meta(name).factory,
        bounds=bounds,
        vocabularies=vocabularies(pipe.shim.features, words["train"], words["dev"], pipe.vocab),
        targets=targets(annotation["train"], annotation["dev"], _known(pipe, annotation["train"])),
        annotation=pipe.gold_annotation,
        unannotated={
            part: sum(map(pipe.lacks_annotation, examples)) for part, examples in corpora.items()
        },
        never_absent={
            part: pipe.labels_without_negatives(examples) for part, examples in corpora.items()
        },
        lost={part: _sum(each.unusable for each in contents) for part, contents in found.items()},
        cut=_longer(corpora, bounds.max_length),
        windowed=_longer(corpora, window),
        memory=estimate(pipe, batches, training["dropout"], training["optimizer"], setup.annotate),
    )


def _words(contents: Sequence[ExampleStats]) -> Dict[str, Counter[str]]:
    """How often each word occurs in what is read."""
    counts: Dict[str, Counter[str]] = {}
    for each in contents:
        for side, words in each.words.items():
            counts.setdefault(side, Counter()).update(words)
    return counts


def _known(pipe: RNNPipe, annotation: Sequence[Mapping[str, Any]]) -> Dict[str, List[str]]:
    """The labels that a component knows, by target."""
    data = pipe.label_data
    if isinstance(data, list):
        data = {name: data for doc in annotation for name in doc}
    return {name: labels for name, labels in (data or {}).items() if isinstance(labels, list)}


def _sum(counts: Iterable[Mapping[str, int]]) -> Dict[str, int]:
    return dict(sum((Counter(each) for each in counts), Counter()))


def _longer(corpora: Mapping[str, Sequence[Example]], bound: Optional[int]) -> Dict[str, int]:
    """How many documents of each corpus have more tokens."""
    return {
        part: 0 if bound is None else sum(len(eg.predicted) > bound for eg in examples)
        for part, examples in corpora.items()
    }
