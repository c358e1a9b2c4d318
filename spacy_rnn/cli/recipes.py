"""The settings of each task's config beyond the defaults.

Networks are those of the configs of the repository, tuned on public corpora.
"""

from typing import Any, Dict, Mapping, NamedTuple, Tuple


class Training(NamedTuple):
    """Settings of the [training] block, for a corpus of `words` words; `Schedule` has those for
    other corpora.

    dropout (float): As in the block.
    max_steps (int): The number of steps.
    size (int): The size of the batcher.
    learn_rate (float): The learning rate, reached by a warm-up and then reduced to 0 at the last
        step.
    evaluations (int): The number of evaluations, besides that of the untrained network.
    words (int): The size of the corpus. For pairs of texts, the words of both.
    """

    dropout: float
    max_steps: int
    size: int
    learn_rate: float
    evaluations: int = 20
    words: int = 200_000


class Recipe(NamedTuple):
    """Settings of a task that differ from the defaults.

    training (Training): Settings of the [training] block.
    component (Mapping[str, Any]): Settings of the component, by dotted name.
    sections (Mapping[str, Any]): Other settings of the config, by dotted name.
    score_weights (Mapping[str, float]): Weights of scores that differ from the component's own.
    """

    training: Training
    component: Mapping[str, Any]
    sections: Mapping[str, Any] = {}
    score_weights: Mapping[str, float] = {}


VECTORS = {"@architectures": "spacy_rnn.VectorEmbedding.v1"}
AFFIXES = {"@architectures": "spacy_rnn.AffixEmbedding.v1"}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1"}
PIECES = {"@architectures": "spacy_rnn.SentencePieces.v1"}
#: for each language of a translator
FEW_PIECES = {
    "model.source_pieces.vocab_size": 2000,
    "model.target_pieces": {**PIECES, "vocab_size": 2000},
}

SMALL_TOKENS = {
    "model.embedding.words.width": 64,
    "model.embedding.characters": None,
    "model.embedding.affixes": {**AFFIXES, "prefixes": 1, "suffixes": 3},
    "model.encoder.hidden_size": 128,
    "model.encoder.depth": 1,
}
LARGE_TOKENS = {
    "model.embedding.characters.hidden_size": 50,
    "model.embedding.affixes": {**AFFIXES, "prefixes": 3, "suffixes": 4},
    "model.embedding.vectors": VECTORS,
}
SMALL_TEXTS = {
    "model.batch_tokens": 16384,
    "model.embedding.words.width": 64,
    "model.embedding.vectors": VECTORS,
    "model.encoder.hidden_size": 100,
    "model.encoder.depth": 1,
}
LARGE_TEXTS = {
    "model.embedding.affixes": {**AFFIXES, "prefixes": 3, "suffixes": 3, "shape": False},
    "model.embedding.vectors": VECTORS,
}
#: worth a hundredth of the accuracy of a text classifier with 77 classes
SMOOTH = {"label_smoothing": 0.1}
#: cats_micro_f is the accuracy if classes are mutually exclusive
ACCURACY = {"cats_score": 0.0, "cats_micro_f": 1.0}
PAIRS = {
    "corpora.train": {
        "@readers": "spacy_rnn.ParallelCorpus.v1",
        "path": "${paths.train}",
        "max_length": 60,
    },
    "corpora.dev": {"@readers": "spacy_rnn.ParallelCorpus.v1", "path": "${paths.dev}"},
    "training.batcher.buffer": 1024,
    "training.batcher.get_length": {"@misc": "spacy_rnn.pair_length.v1"},
}
#: about 30,000 pairs
PAIR_WORDS = 400_000
#: documents are concatenated to streams, so nothing is padded
WORDS = {
    "training.batcher": {
        "@batchers": "spacy.batch_by_words.v1",
        "tolerance": 0.2,
        "discard_oversize": False,
    }
}

RECIPES: Dict[Tuple[str, str], Recipe] = {
    ("tagger", "efficiency"): Recipe(
        Training(0.3, 2000, 1200, 0.005),
        SMALL_TOKENS,
    ),
    ("tagger", "accuracy"): Recipe(
        Training(0.4, 4500, 1200, 0.003),
        {**LARGE_TOKENS, **SMOOTH},
    ),
    ("ner", "efficiency"): Recipe(
        Training(0.5, 3000, 500, 0.005),
        SMALL_TOKENS,
    ),
    ("ner", "accuracy"): Recipe(
        Training(0.5, 3000, 500, 0.003),
        LARGE_TOKENS,
    ),
    ("textcat", "efficiency"): Recipe(
        Training(0.3, 3000, 1200, 0.005),
        {**SMALL_TEXTS, **SMOOTH},
        score_weights=ACCURACY,
    ),
    ("textcat", "accuracy"): Recipe(
        Training(0.5, 4000, 1200, 0.002),
        {**LARGE_TEXTS, **SMOOTH},
        score_weights=ACCURACY,
    ),
    ("textcat_multilabel", "efficiency"): Recipe(
        Training(0.3, 2000, 1200, 0.005),
        SMALL_TEXTS,
    ),
    ("textcat_multilabel", "accuracy"): Recipe(
        Training(0.4, 3000, 1200, 0.002),
        LARGE_TEXTS,
    ),
    ("regressor", "efficiency"): Recipe(
        Training(0.3, 2000, 1200, 0.005),
        SMALL_TEXTS,
    ),
    ("regressor", "accuracy"): Recipe(
        Training(0.4, 3000, 1200, 0.002),
        LARGE_TEXTS,
    ),
    ("translator", "efficiency"): Recipe(
        Training(0.1, 4000, 1600, 0.004, 5, PAIR_WORDS),
        {
            "model.embedding_size": 128,
            **FEW_PIECES,
            "model.encoder.cell": "gru",
            "model.encoder.hidden_size": 128,
            "model.decoder.cell": "gru",
            "model.decoder.hidden_size": 128,
        },
        PAIRS,
    ),
    ("translator", "accuracy"): Recipe(
        Training(0.2, 5000, 1600, 0.002, 5, PAIR_WORDS),
        FEW_PIECES,
        PAIRS,
    ),
    ("lm", "efficiency"): Recipe(
        Training(0.1, 2000, 180, 0.006, 5),
        {
            "streams": 8,
            "bptt_length": 100,
            "model.embedding_size": 48,
            "model.tied": False,
            "model.encoder.hidden_size": 160,
        },
        WORDS,
    ),
    ("lm", "accuracy"): Recipe(
        Training(0.3, 4200, 3200, 0.003, 7, 2_000_000),
        {
            "streams": 64,
            "bptt_length": 50,
            "model.embedding_size": 256,
            "model.tied": False,
            "model.cutoffs": [2000, 10000],
            "model.units": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
            "model.encoder.hidden_size": 512,
        },
        WORDS,
    ),
}

TASKS = tuple(dict.fromkeys(task for task, _ in RECIPES))
#: tasks whose components read pieces or characters, not tokens
NOT_SHARED = ("translator", "lm")


class SharedEncoder(NamedTuple):
    """Settings of several components that read the tokens of one encoder.

    training (Training): Settings of the [training] block.
    tok2vec (Mapping[str, Any]): The model of the component `tok2vec`.
    component (Mapping[str, Any]): Settings of each other component, by dotted name: a layer of its
        own without context, as the shared encoder has read that.
    """

    training: Training
    tok2vec: Mapping[str, Any]
    component: Mapping[str, Any]


def _shared(training: Training, width: int, encoder: Mapping[str, Any], size: int) -> SharedEncoder:
    tok2vec = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": width,
            "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
            "rows": [5000, 1000, 2500, 2500],
            "include_static_vectors": False,
        },
        "encode": {"@architectures": "spacy_rnn.RNNEncoder.v1", **encoder},
    }
    component = {
        "model.embedding": None,
        # The states of both directions.
        "model.tok2vec": {**LISTENER, "width": 2 * encoder["hidden_size"]},
        "model.encoder.cell": "none",
        "model.encoder.hidden_size": size,
        "model.encoder.depth": 1,
    }
    return SharedEncoder(training, tok2vec, component)


SHARED: Dict[str, SharedEncoder] = {
    "efficiency": _shared(
        Training(0.3, 3000, 1200, 0.005), 96, {"hidden_size": 128, "depth": 1}, 64
    ),
    "accuracy": _shared(
        Training(0.4, 5000, 1200, 0.003), 128, {"hidden_size": 256, "depth": 2}, 128
    ),
}
