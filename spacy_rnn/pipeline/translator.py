"""The translator component."""

import logging
from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model

from ..extensions import set_doc_extension
from ..models.network import Gold
from ..models.translator import Search, Translation, predict_translations, translation_gold
from .base import RNNPipe

logger = logging.getLogger("spacy_rnn")

DEFAULT_CONFIG = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.Translator.v1"
    embedding_size = 256
    tied = true
    mixed_precision = "none"
    batch_tokens = 4096
    target_pieces = null

    [model.source_pieces]
    @architectures = "spacy_rnn.SentencePieces.v1"
    vocab_size = 8000
    kind = "unigram"
    character_coverage = 1.0
    byte_fallback = false
    alpha = null
    path = null

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    cell = "lstm"
    direction = "both"
    hidden_size = 256
    depth = 1
    recurrent_dropout = 0.0
    residual = false
    layer_norm = false
    chrono_length = 0

    [model.decoder]
    @architectures = "spacy_rnn.RNNDecoder.v1"
    cell = "lstm"
    hidden_size = 256
    depth = 1
    attention = "general"
    input_feeding = false
    recurrent_dropout = 0.0
    residual = false
    layer_norm = false

    [search]
    @misc = "spacy_rnn.Search.v1"
    beam = 5
    length_penalty = 0.6
    coverage_penalty = 0.0
    min_ratio = 0.0
    max_ratio = 2.0
    block_ngrams = 0
    """
)


@Language.factory(
    "rnn_translator",
    default_config={
        **DEFAULT_CONFIG,
        "attr": "translation",
        "label_smoothing": 0.1,
        "long_text": 100,
        "scorer": {"@scorers": "spacy_rnn.translation_scorer.v1"},
    },
    default_score_weights={"translation_bleu": 1.0, "translation_chrf": 0.0},
)
def make_translator(
    nlp: Language,
    name: str,
    model: Model,
    search: Search,
    attr: str,
    label_smoothing: float,
    long_text: int,
    scorer: Optional[Callable],
) -> "RNNTranslator":
    """Make an RNN translator; see `RNNTranslator`."""
    return RNNTranslator(
        nlp.vocab,
        model,
        name,
        search=search,
        attr=attr,
        label_smoothing=label_smoothing,
        long_text=long_text,
        scorer=scorer,
    )


class RNNTranslator(RNNPipe):
    """Translate texts with a recurrent encoder-decoder network.

    The source is the text itself, whatever its tokens. Where sentence starts are set, it is
    translated sentence by sentence, with the white space that stands between them.

    search (Search): How translations are searched.
    attr (str): Name of the Doc extension of translations, gold and predicted.
    label_smoothing (float): Share of the probability spread over all pieces in training.
    long_text (int): Warn of texts with more tokens than this that have no sentence starts.
    """

    LEARNED = ()

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_translator",
        *,
        search: Search,
        attr: str = "translation",
        label_smoothing: float = 0.1,
        long_text: int = 100,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(
            vocab,
            model,
            name,
            scorer=scorer,
            attr=attr,
            label_smoothing=label_smoothing,
            long_text=long_text,
        )
        self.search = search
        set_doc_extension(attr)

    # Training

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Optional[Language] = None
    ) -> None:
        """Make the vocabularies of pieces and the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read.
        nlp (Language): The current nlp object.
        """
        validate_get_examples(get_examples, "RNNTranslator.initialize")
        pairs = [
            (eg.x.text.strip(), self._gold(eg)) for eg in get_examples() if self.can_learn_from(eg)
        ]
        if not pairs:
            attr = self.cfg["attr"]
            raise ValueError(
                f"'{self.name}' has no translations to learn from. Set doc._.{attr} in the "
                f"training data (and save it with DocBin(store_user_data=True)), or read pairs of "
                f"texts with spacy_rnn.ParallelCorpus.v1."
            )
        sources, targets = zip(*pairs, strict=True)
        self.model.initialize(X=sources, Y=targets)

    def _gold(self, example: Example) -> str:
        """Without the white space around it, as `predict` leaves that to the source."""
        return (example.reference._.get(self.cfg["attr"]) or "").strip()

    def can_learn_from(self, example: Example) -> bool:
        return bool(example.predicted.text.strip() and self._gold(example))

    def get_gold(self, examples: List[Example]) -> Gold:
        """The pieces of each translation."""
        targets = [self._gold(eg) for eg in examples]
        return translation_gold(self.model, targets, self.cfg["label_smoothing"])

    # Prediction

    def translate(self, texts: Iterable[str], n_best: int = 1) -> List[List[Translation]]:
        """The best translations of texts, each as one sentence, best first.

        n_best (int): How many of each text; more than the beam widen it.
        RETURNS (List[List[Translation]]): Of each text; none of a text without a character.
        """
        if isinstance(texts, str):
            raise ValueError("One text was given instead of a list of texts. Put it into a list.")
        if n_best < 1:
            raise ValueError(f"'n_best' must be at least 1, got {n_best}.")
        return predict_translations(self.model, list(texts), self.search, n_best)

    def predict(self, docs: Iterable[Doc]) -> List[str]:
        """The translation of each doc."""
        segments = [list(self._segments(doc)) for doc in docs]
        texts = [text for parts in segments for _, text, _ in parts]
        found = iter(self.translate(texts) if texts else [])
        return [
            "".join(
                before + (best[0].text if best else "") + after
                for (before, _, after), best in zip(parts, found, strict=False)
            )
            for parts in segments
        ]

    def _segments(self, doc: Doc) -> Iterator[Tuple[str, str, str]]:
        """What is translated at once, between the white space before and after it."""
        by_sentences = doc.has_annotation("SENT_START")
        if not by_sentences and len(doc) > self.cfg["long_text"]:
            logger.warning(
                "'%s' translates a text of %d tokens as one sentence: '%s…'. Set sentence starts "
                "before it, as with nlp.add_pipe('sentencizer', first=True).",
                self.name,
                len(doc),
                doc[:8].text,
            )
        for span in doc.sents if by_sentences else [doc[:]]:
            text = span.text_with_ws
            core = text.strip()
            start = text.index(core)
            yield text[:start], core, text[start + len(core) :]

    def set_annotations(self, docs: Iterable[Doc], translations: List[str]) -> None:
        """Write translations to docs.

        docs (Iterable[Doc]): The documents to modify.
        translations: What `predict` returned for them.
        """
        for doc, translation in zip(docs, translations, strict=True):
            doc._.set(self.cfg["attr"], translation)
