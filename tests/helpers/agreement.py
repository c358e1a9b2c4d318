"""Cases of agreement, and language models that have memorized their sentences."""

import json
from dataclasses import asdict, replace

from spacy.training import Example

from spacy_rnn.analysis.agreement import AgreementCase

from .pipelines import make_pipeline, train

#: words, places, number, other form, attractors
DOGS = AgreementCase("The dogs near the cat bark loudly .".split(), 1, 5, "Plur", "barks", 0)
DOG = AgreementCase("The dog near the cats barks loudly .".split(), 1, 5, "Sing", "bark", 1)
CASES = [DOGS, DOG]
#: the same with the wrong verb in the sentence
WRONG = [
    replace(
        case,
        words=[*case.words[: case.verb], case.other, *case.words[case.verb + 1 :]],
        other=case.words[case.verb],
    )
    for case in CASES
]
UNITS = {
    "words": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
    "characters": {"@architectures": "spacy_rnn.CharacterUnits.v1", "min_freq": 1},
    "pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 30},
}


def line_of(case, **changes):
    return json.dumps({**asdict(case), **changes})


def write(path, *lines):
    path.write_text("\n".join(lines), encoding="utf8")
    return path


def make_model(units="words", direction="forward", sentences=CASES, steps=60):
    """A language model that has memorized some sentences, or learned nothing if `steps` is 0."""
    nlp = make_pipeline(
        "rnn_lm",
        {"units": UNITS[units], "encoder": {"direction": direction}},
        streams=2,
        bptt_length=50,
    )
    docs = [case.doc(nlp.vocab) for case in sentences]
    train(nlp, [Example(doc, doc.copy()) for doc in docs], steps=steps)
    return nlp
