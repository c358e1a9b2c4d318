"""Report on a config and its corpora."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from spacy.training import Example

from ..pipeline.base import RNNPipe
from ..pipeline.reports import ExampleStats, ReadLimits
from .corpus import CorpusStats, describe_corpus, n_leaked
from .labels import Target, describe_targets
from .memory import Memory, estimate_memory
from .setup import Setup
from .vocabulary import Vocabulary, vocabularies


@dataclass(frozen=True)
class ComponentReport:
    """Report on a component. Numbers by corpus have the keys "train" and "dev".

    factory (str): Name of its factory.
    bounds (ReadLimits): The number of tokens that it reads, at most.
    vocabularies (Dict[str, Dict[str, Vocabulary]]): Its vocabularies by text ("text", or "source"
        and "target") and by name.
    targets (Dict[str, Target]): The annotation of each target.
    annotation (Sequence[str]): Names of the annotation that it learns from; empty for the text
        itself.
    unannotated (Dict[str, int]): Documents with tokens but without this annotation, by corpus.
    never_absent (Dict[str, List[str]]): Labels without negative examples, by corpus, if they are
        needed.
    lost (Dict[str, Dict[str, int]]): Amount of annotation that cannot be learned from, by corpus
        and reason.
    cut (Dict[str, int]): Documents longer than the component reads, by corpus.
    windowed (Dict[str, int]): Documents longer than a window of prediction, by corpus.
    memory (Memory): Memory of training and prediction.
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
    """Report on a config and its corpora.

    streamed (bool): Only the first documents of both corpora were inspected.
    train (CorpusStats): Numbers of the training corpus.
    dev (CorpusStats): Numbers of the dev corpus.
    left_out (Dict[str, int]): Tokens of the files that the reader leaves out, by corpus.
    leaked (int): Documents of the dev corpus that are in the training corpus too.
    components (Dict[str, ComponentReport]): Reports on the components, by name.
    """

    streamed: bool
    train: CorpusStats
    dev: CorpusStats
    left_out: Dict[str, int]
    leaked: int
    components: Dict[str, ComponentReport]


def make_report(setup: Setup) -> Report:
    """Inspect the corpora of a pipeline that is initialized."""
    train, dev = (
        describe_corpus([len(eg.predicted) for eg in part]) for part in (setup.train, setup.dev)
    )
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
) -> ComponentReport:
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
    return ComponentReport(
        factory=setup.nlp.get_pipe_meta(name).factory,
        bounds=bounds,
        vocabularies=vocabularies(pipe.shim.features, words["train"], words["dev"], pipe.vocab),
        targets=describe_targets(
            annotation["train"], annotation["dev"], _known(pipe, annotation["train"])
        ),
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
        memory=estimate_memory(
            pipe, batches, training["dropout"], training["optimizer"], setup.annotate
        ),
    )


def _words(contents: Sequence[ExampleStats]) -> Dict[str, Counter[str]]:
    """Count the words of each text that is read."""
    counts: Dict[str, Counter[str]] = {}
    for each in contents:
        for side, words in each.words.items():
            counts.setdefault(side, Counter()).update(words)
    return counts


def _known(pipe: RNNPipe, annotation: Sequence[Mapping[str, Any]]) -> Dict[str, List[str]]:
    """Return the labels of a component, by target."""
    data = pipe.label_data
    if isinstance(data, list):
        data = {name: data for doc in annotation for name in doc}
    return {name: labels for name, labels in (data or {}).items() if isinstance(labels, list)}


def _sum(counts: Iterable[Mapping[str, int]]) -> Dict[str, int]:
    return dict(sum((Counter(each) for each in counts), Counter()))


def _longer(corpora: Mapping[str, Sequence[Example]], bound: Optional[int]) -> Dict[str, int]:
    """Count the documents of each corpus that have more tokens."""
    return {
        part: 0 if bound is None else sum(len(eg.predicted) > bound for eg in examples)
        for part, examples in corpora.items()
    }
