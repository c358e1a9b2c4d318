"""The translator component."""

import logging
import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model
from thinc.types import Generator

from ..architectures.translation import Translation, copied, join
from ..architectures.translator import (
    evaluate_translations,
    predict_translations,
    translation_gold,
)
from ..architectures.translator_attribution import attribution_target, encoder_input
from ..config.search import Search
from ..config.signature import to_config, with_fields_of
from ..extensions import set_doc_extension
from ..features.normalization import required_text, required_texts
from ..runtime.attribution import AttributionTarget, EncoderInput, check_index
from ..runtime.engine import EngineSettings
from ..runtime.model import Targets
from ..validation import at_least, extension_name, probability, rate
from .alignment import Alignment, align
from .base import RNNPipe
from .document import excerpt
from .reports import ExampleStats, ReadLimits
from .sentences import Sentence, gaps_of, sentences_of

logger = logging.getLogger("spacy_rnn")

#: characters of a text that is learned from, for each token that `max_length` allows in a sentence
MAX_CHARACTERS = 50

DEFAULT_MODEL = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.Translator.v1"
    target_pieces = null

    [model.source_pieces]
    @architectures = "spacy_rnn.SentencePieces.v1"

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    hidden_size = 256
    depth = 1

    [model.decoder]
    @architectures = "spacy_rnn.RNNDecoder.v1"
    """
)["model"]


@dataclass(frozen=True)
class TranslatorSettings(EngineSettings):
    """Settings of "rnn_translator".

    search (Search): How translations are searched.
    attr (str): Name of the Doc extension of translations, gold and predicted.
    label_smoothing (float): Share of the probability spread over all pieces in training.
    teacher_forcing (Union[float, Generator]): Share of the pieces of a translation that the decoder
        reads in training; for the others, sampled anew in each step, it reads its own best guesses
        (scheduled sampling, Bengio et al. 2015). A number or a schedule by training step.
    split_sentences (bool): Find the sentences of texts without sentence starts by the rules of
        spaCy's sentencizer. Without it such a text is one sentence.
    max_length (int): Sentences of more tokens than this, or of more than ten times as many
        characters, are cut into parts, with a warning; 0 for no limit. Training leaves out pairs
        with a text of more than fifty times as many characters.
    progress_bar (bool): Show one while texts are translated.
    engine: See `EngineSettings`.
    """

    search: Search = Search()
    attr: str = "translation"
    label_smoothing: float = 0.1
    teacher_forcing: Union[float, Generator] = 1.0
    split_sentences: bool = True
    max_length: int = 100
    progress_bar: bool = False

    def __post_init__(self) -> None:
        rate(label_smoothing=self.label_smoothing)
        at_least(0, max_length=self.max_length)
        extension_name(attr=self.attr)
        if not hasattr(self.teacher_forcing, "__next__"):
            probability(teacher_forcing=self.teacher_forcing)


@Language.factory(
    "rnn_translator",
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(TranslatorSettings()),
        "search": {"@misc": "spacy_rnn.Search.v1"},
        "scorer": {"@scorers": "spacy_rnn.translation_scorer.v1"},
    },
    default_score_weights={
        "bleu": 1.0,
        "chrf": 0.0,
        "piece_acc": 0.0,
        "piece_ppl": None,
    },
)
@with_fields_of(TranslatorSettings)
def make_translator(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: TranslatorSettings,
    scorer: Optional[Callable],
) -> "RNNTranslator":
    """Make an RNN translator; see `RNNTranslator`."""
    return RNNTranslator(nlp.vocab, model, name, nlp=nlp, **vars(settings), scorer=scorer)


class RNNTranslator(RNNPipe):
    """Translate texts with a recurrent encoder-decoder network.

    A text is translated sentence by sentence, with the white space that stands between them, and
    learned from as a whole. Tokens only say where sentences start: the network reads the text
    itself, normalized (see `spacy_rnn.features.normalization.normalize`).

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.Translator.v1.
    name (str): The component's name in the pipeline.
    nlp (Language): The pipeline, whose tokenizer reads the texts of `translate`.
    settings (TranslatorSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    PERSISTED_CFG = ()
    #: If false, `predict` gives empty translations until they are scored; see
    #: spacy_rnn.decode_every.v1.
    decodes = True

    @with_fields_of(TranslatorSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_translator",
        *,
        nlp: Language,
        settings: TranslatorSettings,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(vocab, model, name, settings, scorer)
        self.nlp = nlp
        # `cfg` is saved as JSON, which these are not.
        self.search: Search = self.cfg.pop("search")
        self.teacher_forcing: Union[float, Generator] = self.cfg.pop("teacher_forcing")
        #: the values that were taken from the schedule of teacher forcing
        self._n_teacher_forcing = 0

    def register_extensions(self) -> None:
        set_doc_extension(self.cfg["attr"])

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
        pairs, left_out = [], []
        for eg in get_examples():
            if self.can_train_on(eg):
                pairs.append((eg.x.text, self._gold(eg)))
            elif self._is_too_long(eg):
                left_out.append(excerpt(eg))
        if left_out:
            logger.warning(
                "'%s' leaves out pairs with a text of more than %d characters: %d of %d, the first "
                "of them %s. Split them into sentences, or raise max_length = %d.",
                self.name,
                MAX_CHARACTERS * self.cfg["max_length"],
                len(left_out),
                len(left_out) + len(pairs),
                left_out[0],
                self.cfg["max_length"],
            )
        if not pairs:
            attr = self.cfg["attr"]
            raise self.missing_data_error(
                get_examples,
                f"'{self.name}' has no translations to learn from.",
                f"Set doc._.{attr} in the training data (and save it with "
                f"DocBin(store_user_data=True)), or read pairs of texts with "
                f"spacy_rnn.ParallelCorpus.v1.",
            )
        sources, targets = zip(*pairs, strict=True)
        self.model.initialize(X=sources, Y=targets)

    def _gold(self, example: Example) -> str:
        """The gold translation without the whitespace around it, which `predict` takes from the
        source."""
        attr = self.cfg["attr"]
        found = example.reference._.get(attr) or ""
        return required_text(found, f"doc._.{attr} of the text {excerpt(example)}").strip()

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        return (f"doc._.{self.cfg['attr']}",)

    def can_train_on(self, example: Example) -> bool:
        (source,) = self.shim.features.normalize([example.predicted.text])
        return bool(source and self._gold(example)) and not self._is_too_long(example)

    def _is_too_long(self, example: Example) -> bool:
        """Return True if attention, whose memory is the product of both lengths, could take more
        memory than there is."""
        limit = MAX_CHARACTERS * self.cfg["max_length"] or math.inf
        return max(len(example.predicted.text), len(self._gold(example))) > limit

    def example_stats(self, example: Example) -> ExampleStats:
        """The words of a text and of its translation, split at spaces."""
        (tokens,) = super().example_stats(example).words.values()
        source = [word for word in self.shim.features.normalize(tokens) if word]
        return ExampleStats({"source": source, "target": self._gold(example).split()})

    @property
    def read_limits(self) -> ReadLimits:
        # Every hypothesis of a beam takes as much memory as a source.
        return ReadLimits(max(1, super().read_limits.batch // self.search.options(1).beam))

    def get_targets(self, examples: List[Example]) -> Targets:
        """The pieces of each gold translation."""
        targets = [self._gold(eg) for eg in examples]
        return translation_gold(
            self.model, targets, self.cfg["label_smoothing"], self._next_teacher_forcing()
        )

    def get_training_state(self) -> Dict[str, Any]:
        state = super().get_training_state()
        return {**state, "n_teacher_forcing": self._n_teacher_forcing, "decodes": self.decodes}

    def set_training_state(self, state: Dict[str, Any]) -> None:
        super().set_training_state(state)
        self.decodes = state["decodes"]
        while self._n_teacher_forcing < state["n_teacher_forcing"]:
            self._next_teacher_forcing()

    def _next_teacher_forcing(self) -> float:
        self._n_teacher_forcing += 1
        share = self.teacher_forcing
        value = share if isinstance(share, (int, float)) else next(share)
        if not 0 <= value <= 1:
            raise ValueError(
                f"'teacher_forcing' of '{self.name}' must be a share from 0 to 1, got {value}."
            )
        return value

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """Score translations, and the predictions of the gold ones with teacher forcing:
        ``piece_acc``, the share of their pieces that have the highest score, and ``piece_ppl``, the
        perplexity per piece.

        examples (Iterable[Example]): The examples to score.
        RETURNS (Dict[str, Any]): The scores; empty without a scorer.
        """
        # Training may end with an evaluation that did not decode.
        self.decodes = True
        examples = list(examples)
        if self.scorer is None:
            return {}
        scores = super().score(examples, **kwargs)
        pairs = [(eg.x.text, self._gold(eg)) for eg in examples if self.can_train_on(eg)]
        if pairs:
            sources, targets = zip(*pairs, strict=True)
            forced = evaluate_translations(self.model, sources, targets)
            scores["piece_acc"] = forced.accuracy
            scores["piece_ppl"] = forced.perplexity
        return scores

    # Prediction

    def translate(
        self, texts: Iterable[str], n_best: int = 1, *, attention: bool = False
    ) -> List[List[Translation]]:
        """Translate texts, without the whitespace around them. The translations of a text of
        several sentences are combinations of those of its sentences, ranked by the sum of their
        scores.

        texts (Iterable[str]): The texts. The tokenizer of the pipeline splits them into tokens,
            which are only used to find sentences.
        n_best (int): Maximum number of translations per text, all of them different. If it is more
            than the beam, the beam is widened.
        attention (bool): Keep the attention of each piece on each piece of the source, which needs
            much memory for a long text.
        RETURNS (List[List[Translation]]): The translations of each text, best first; none of a text
            of whitespace only.
        """
        at_least(1, n_best=n_best)
        # spaCy's error for half of a surrogate pair does not say what to do. And not nlp.make_doc,
        # which refuses long texts.
        sentences = [self._sentences(self.nlp.tokenizer(text)) for text in required_texts(texts)]
        results: List[List[Translation]] = []
        translated = self._search(sentences, n_best, attention)
        for of_text, translations in zip(sentences, translated, strict=True):
            joined = _joined(of_text, translations, n_best) if any(translations) else []
            results.append([each._replace(text=each.text.strip()) for each in joined])
        return results

    def predict(self, docs: Iterable[Doc]) -> List[str]:
        """Translate docs.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[str]): The translation of each.
        """
        if not self.decodes:
            return ["" for _ in docs]
        sentences = [self._sentences(doc) for doc in docs]
        return [
            _joined(of_doc, translations)[0].text
            for of_doc, translations in zip(sentences, self._search(sentences), strict=True)
        ]

    def align(self, docs: Iterable[Doc]) -> List[List[Alignment]]:
        """Align translations with the tokens of their sources, by attention.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[List[Alignment]]): For each doc, the alignments of its sentences that are not
            empty.
        RAISES (ValueError): If the network has no attention.
        """
        sentences = [self._sentences(doc) for doc in docs]
        translated = self._search(sentences, attention=True)
        return [
            [
                self._align(sentence, best[0])
                for sentence, best in zip(of_doc, translations, strict=True)
                if best
            ]
            for of_doc, translations in zip(sentences, translated, strict=True)
        ]

    def _align(self, sentence: Sentence, translation: Translation) -> Alignment:
        if translation.attention is None:
            raise ValueError(
                f"The network of '{self.name}' has no attention. Train one with "
                f'attention = "general" in its decoder.'
            )
        starts, ends = self.shim.features.source_offsets(sentence.text)
        best = (translation.text, translation.pieces, translation.attention)
        return align(sentence, starts, ends, *best)

    def encoder_inputs(self, doc: Doc) -> List[EncoderInput]:
        """The input of the encoder, the pieces of the sentences; see `RNNPipe.encoder_inputs`."""
        texts = [sentence.text for sentence in self._sentences(doc)]
        return [encoder_input(self.model, texts)]

    def attribution_target(self, doc: Doc, token: int) -> AttributionTarget:
        """The log-probability of a piece of the best translation after those before it, which the
        pieces of the source sentence explain.

        doc (Doc): The document.
        token (int): The index of the piece in the translations of all sentences of the doc.
        RETURNS (AttributionTarget): The prediction to explain.
        """
        sentences = self._sentences(doc)
        (translations,) = self._search([sentences])
        pieces = [best[0].pieces if best else [] for best in translations]
        check_index(token, sum(map(len, pieces)), "piece of the translation")
        sentence = [i for i, of_sentence in enumerate(pieces) for _ in of_sentence][token]
        position = token - sum(map(len, pieces[:sentence]))
        return attribution_target(self.model, sentences[sentence].text, pieces[sentence], position)

    def _sentences(self, doc: Doc) -> List[Sentence]:
        return sentences_of(doc, self.cfg["split_sentences"], self.cfg["max_length"], self.name)

    def _search(
        self, sentences: List[List[Sentence]], n_best: int = 1, attention: bool = False
    ) -> List[List[List[Translation]]]:
        """The best translations of each sentence of each text."""
        translations = iter(
            predict_translations(
                self.model,
                [sentence.text for of_text in sentences for sentence in of_text],
                self.search,
                n_best,
                attention,
                self.cfg["progress_bar"],
            )
        )
        return [[next(translations) for _ in of_text] for of_text in sentences]

    def set_annotations(self, docs: Iterable[Doc], translations: List[str]) -> None:
        """Write translations to docs.

        docs (Iterable[Doc]): The documents to modify.
        translations (List[str]): The result of `predict` for them.
        """
        for doc, translation in zip(docs, translations, strict=True):
            doc._.set(self.cfg["attr"], translation)


def _joined(
    sentences: List[Sentence], translations: List[List[Translation]], n_best: int = 1
) -> List[Translation]:
    """The best translations of a text; sentences without a translation are copied."""
    complete = [
        of_sentence or [copied(sentence.text)]
        for sentence, of_sentence in zip(sentences, translations, strict=True)
    ]
    return join(gaps_of(sentences), complete, n_best)
