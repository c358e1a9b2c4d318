"""The uncertainty of a component about its labels (Settles 2009, section 3.1).

All measures grow with the uncertainty:

least-confidence: 1 - P(best).
margin: 1 - (P(best) - P(second best)).
entropy: That of all probabilities, in nats.

They are computed, for a text,

of a text classifier: From the probabilities of the classes, or as the mean over labels, of which
    each holds or not.
of a tagger: As the mean over tokens and targets.
of an entity recognizer: From the probabilities of whole readings, of which the entropy sums over
    all. They are not divided by the number of tokens: a longer text has more to learn from (Settles
    and Craven 2008, section 3.1).
of a translator: From the geometric mean of the probabilities of the pieces of the best translation,
    for least-confidence only.
"""

from typing import Any, Iterable, Iterator, List, Literal, Sequence, Tuple, get_args

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from ..pipeline.ner import RNNEntityRecognizer
from ..pipeline.tagger import RNNTagger
from ..pipeline.textcat import RNNTextCategorizer
from ..pipeline.textcat_multilabel import RNNMultiLabelTextCategorizer
from ..pipeline.translator import RNNTranslator
from .component import components_before

Strategy = Literal["least-confidence", "margin", "entropy"]
STRATEGIES = get_args(Strategy)

#: the components that say how probable their labels are
LABELING = (RNNTagger, RNNEntityRecognizer, RNNTextCategorizer, RNNMultiLabelTextCategorizer)
#: those that can say how uncertain they are
UNCERTAIN = (*LABELING, RNNTranslator)


def text_uncertainties(
    nlp: Language, name: str, texts: Iterable[str], strategy: Strategy, batch_size: int
) -> Iterator[Tuple[str, float]]:
    """Compute the uncertainty of a component about texts, in memory that does not grow with their
    number.

    nlp (Language): The pipeline. Components after the one in question do not run.
    name (str): The name of the component.
    texts (Iterable[str]): The texts.
    strategy (Strategy): The measure.
    batch_size (int): The number of texts in a batch.
    YIELDS (Tuple[str, float]): Each text with its uncertainty.
    """
    pipe = nlp.get_pipe(name)
    with components_before(nlp, name):
        for batch in minibatch(texts, batch_size):
            with nlp.memory_zone():
                docs = list(nlp.pipe(batch, batch_size=batch_size))
                found = uncertainties(pipe, docs, strategy).tolist()
            yield from zip(batch, found, strict=True)


def uncertainties(pipe: Any, docs: Sequence[Doc], strategy: Strategy) -> np.ndarray:
    """Compute the uncertainty of a component about documents.

    pipe (RNNPipe): The component.
    docs (Sequence[Doc]): The documents, as the components before it leave them.
    strategy (Strategy): The measure.
    RETURNS (np.ndarray): The uncertainties, (docs,); 0 for documents without tokens.
    RAISES (ValueError): If the component has no probabilities for the measure.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got '{strategy}'.")
    if isinstance(pipe, RNNTagger):
        found = [_of_tokens(p, strategy) for p in pipe.predict_probabilities(docs)]
    elif isinstance(pipe, RNNEntityRecognizer):
        found = _of_readings(pipe, docs, strategy)
    elif isinstance(pipe, RNNTextCategorizer):
        found = _of_distributions(pipe.predict(docs).scores, strategy).tolist()
    elif isinstance(pipe, RNNMultiLabelTextCategorizer):
        p = pipe.predict(docs).scores
        found = _of_distributions(np.stack([p, 1 - p], axis=2), strategy).mean(axis=1).tolist()
    elif isinstance(pipe, RNNTranslator):
        found = _of_translations(pipe, docs, strategy)
    else:
        kinds = ", ".join(kind.__name__ for kind in UNCERTAIN)
        raise ValueError(
            f"'{getattr(pipe, 'name', pipe)}' cannot say how uncertain it is, as it predicts no "
            f"labels with probabilities. Choose a component of these kinds: {kinds}."
        )
    return np.array([u if len(doc) else 0.0 for u, doc in zip(found, docs, strict=True)])


def _of_distributions(p: np.ndarray, strategy: Strategy) -> np.ndarray:
    """The uncertainty of each distribution, (..., labels) -> (...)."""
    p = p.astype("float64")
    if strategy == "entropy":
        entropies: np.ndarray = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
        return entropies
    # A second label where there is only one.
    p = np.sort(np.concatenate([p, np.zeros_like(p[..., :1])], axis=-1), axis=-1)
    best, second = p[..., -1], p[..., -2]
    found: np.ndarray = 1 - best if strategy == "least-confidence" else 1 - (best - second)
    return found


def _of_tokens(p: Any, strategy: Strategy) -> float:
    of_targets = [_of_distributions(each, strategy) for each in p.values()]
    return float(np.mean(of_targets)) if np.size(of_targets) else 0.0


def _of_readings(pipe: RNNEntityRecognizer, docs: Sequence[Doc], strategy: Strategy) -> List[float]:
    if strategy == "entropy":
        found: List[float] = pipe.entropies(docs).tolist()
        return found
    n = 1 if strategy == "least-confidence" else 2
    of_docs = [[reading.probability for reading in each] for each in pipe.readings(docs, n)]
    return [1 - p[0] + sum(p[1:]) for p in of_docs]


def _of_translations(pipe: RNNTranslator, docs: Sequence[Doc], strategy: Strategy) -> List[float]:
    if strategy != "least-confidence":
        raise ValueError(
            f"'{pipe.name}' is a translator, whose search knows the probabilities of few "
            f"translations only. Use least-confidence."
        )
    found = []
    for best in pipe.translate([doc.text for doc in docs]):
        log_p, n = (best[0].log_probability, len(best[0].pieces)) if best else (0.0, 0)
        # The end of the text is predicted too.
        found.append(1 - float(np.exp(log_p / (n + 1))))
    return found
