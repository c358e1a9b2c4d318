"""The language model component."""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model

from ..architectures.generation import generate, initial_state
from ..architectures.language_model import is_backward, log_probabilities
from ..architectures.language_model_attribution import attribution_target, encoder_inputs
from ..architectures.stream_trainer import StreamTrainer
from ..architectures.suggestions import Session, Suggestion
from ..config.search import Search
from ..config.signature import to_config, with_fields_of
from ..extensions import set_doc_extension, set_probability_extensions
from ..features.normalization import required_texts
from ..runtime.attribution import AttributionTarget, EncoderInput
from ..runtime.engine import EngineSettings
from ..validation import at_least, extension_name
from .base import RNNPipe
from .conditions import CATS, Condition, ConditionReader
from .reports import ExampleStats, ReadLimits

DEFAULT_MODEL = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.LanguageModel.v1"

    [model.units]
    @architectures = "spacy_rnn.CharacterUnits.v1"

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    direction = "forward"
    hidden_size = 256
    depth = 1
    """
)["model"]


@dataclass(frozen=True)
class LanguageModelSettings(EngineSettings):
    """Settings of "rnn_lm".

    streams (int): How many documents are read at once in training, by each process.
    bptt_length (int): Units of each after which the gradient is truncated (truncated
        back-propagation through time, BPTT).
    random_bptt_length (bool): Sample the length of each window around `bptt_length`.
    carry_state (bool): Start each training document from the final state of the previous one on its
        stream, not from the initial state.
    condition (Optional[str]): What is known of a document before its first unit: "cats", its
        labels, or the name of a Doc extension with a vector; None for nothing. The state starts
        from it.
    attr (str): Name of the Doc and Token extensions of log-probabilities.
    perplexity_attr (str): Name of the Doc and Span extensions of perplexities.
    engine: See `EngineSettings`.
    """

    streams: int = 20
    bptt_length: int = 70
    random_bptt_length: bool = False
    carry_state: bool = False
    condition: Optional[str] = None
    attr: str = "log_probability"
    perplexity_attr: str = "perplexity"

    def __post_init__(self) -> None:
        at_least(1, streams=self.streams, bptt_length=self.bptt_length)
        extension_name(attr=self.attr, perplexity_attr=self.perplexity_attr)
        if self.carry_state and self.condition is not None:
            raise ValueError(
                "A document can start from the one before it (carry_state) or from its own labels "
                "(condition), not from both. Set carry_state to false or condition to null."
            )


@Language.factory(
    "rnn_lm",
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(LanguageModelSettings()),
        "scorer": {"@scorers": "spacy_rnn.language_model_scorer.v1"},
    },
    default_score_weights={
        "lm_score": 1.0,
        "ppl": None,
        "bpc": None,
    },
)
@with_fields_of(LanguageModelSettings)
def make_lm(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: LanguageModelSettings,
    scorer: Optional[Callable],
) -> "RNNLanguageModel":
    """Make an RNN language model; see `RNNLanguageModel`."""
    return RNNLanguageModel(nlp.vocab, model, name, nlp=nlp, **vars(settings), scorer=scorer)


class RNNLanguageModel(RNNPipe):
    """Say how probable texts are, and continue them, with a recurrent language model.

    Probabilities are of the text itself, whatever units the model reads: that of a token is the
    product of those of its units, so that perplexities of models with different units compare. A
    document is read from its beginning, and its end counts as one more token. With words as units
    the blanks between them do not count.

    Extensions, by the names in `attr` and `perplexity_attr`: ``doc._.log_probability``, the natural
    logarithms of the probabilities of all tokens and of the end, ``token._.log_probability``, and
    ``doc._.perplexity`` and ``span._.perplexity``, per token; that of a span is given all that
    stands before it, or after it by a backward model. They stay right where tokens are merged.

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.LanguageModel.v1.
    name (str): The component's name in the pipeline.
    nlp (Optional[Language]): The pipeline, whose tokenizer reads prompts; needed if the units are
        words.
    settings (LanguageModelSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    PERSISTED_CFG = ("labels", "condition_size")
    # The streams of all processes grow by all documents, so that their lengths are even.
    reads_whole_batches = True

    @with_fields_of(LanguageModelSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_lm",
        *,
        nlp: Optional[Language] = None,
        settings: LanguageModelSettings,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(vocab, model, name, settings, scorer, labels=[], condition_size=0)
        self.nlp = nlp
        #: the state of training between two updates; made at the first one
        self.stream_trainer: Optional[StreamTrainer] = None

    def register_extensions(self) -> None:
        set_probability_extensions(self.cfg["attr"], self.cfg["perplexity_attr"])
        condition = self.cfg["condition"]
        # It is only read, so that users may compute it.
        if condition not in (None, CATS) and not Doc.has_extension(condition):
            set_doc_extension(condition)

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels that documents may start from."""
        return tuple(self.cfg["labels"])

    # Training

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Optional[Language] = None
    ) -> None:
        """Make the vocabulary of units and the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read.
        nlp (Language): The current nlp object.
        """
        validate_get_examples(get_examples, "RNNLanguageModel.initialize")
        examples = [eg for eg in get_examples() if self.can_train_on(eg)]
        if not examples:
            raise self.missing_data_error(
                get_examples, f"'{self.name}' has no text to learn from.", "All texts are empty."
            )
        labels = {label for eg in examples for label in eg.reference.cats}
        self.cfg["labels"] = sorted(labels) if self.cfg["condition"] == CATS else []
        self.cfg["condition_size"] = 0
        if self._conditions is not None:
            references = (eg.reference for eg in examples)
            self.cfg["condition_size"] = self._conditions.find_size(references)
        self.stream_trainer = None
        outputs = {"condition": self.cfg["condition_size"]}
        self.model.initialize(X=[eg.predicted for eg in examples], Y=outputs)

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        return () if self._conditions is None else (self._conditions.annotation,)

    def example_stats(self, example: Example) -> ExampleStats:
        """The words of a text, and the labels that it starts from, if any."""
        cats = example.reference.cats if self.cfg["condition"] == CATS else {}
        labels = {CATS: [label for label, value in cats.items() if value > 0]} if cats else {}
        return super().example_stats(example)._replace(labels=labels)

    @property
    def read_limits(self) -> ReadLimits:
        # The state is carried from window to window in prediction.
        step = self.cfg["streams"] * self.cfg["bptt_length"]
        return replace(super().read_limits, window=None, step=step)

    def iter_losses(
        self, examples: List[Example]
    ) -> Iterator[Tuple[float, Callable[[float], Any]]]:
        """Yield a loss for each window of the streams that is complete once the documents have
        joined them."""
        if self.stream_trainer is None:
            self.stream_trainer = self._make_stream_trainer()
        docs = [eg.predicted for eg in examples]
        conditions = self._condition_vectors([eg.reference for eg in examples])
        yield from self.stream_trainer.begin_updates(self.model, docs, conditions)

    def _make_stream_trainer(self) -> StreamTrainer:
        names = ("streams", "bptt_length", "carry_state", "random_bptt_length")
        return StreamTrainer(self.model, *(self.cfg[name] for name in names))

    def get_training_state(self) -> Dict[str, Any]:
        trainer = self.stream_trainer
        streams = None if trainer is None else trainer.get_state()
        return {**super().get_training_state(), "streams": streams}

    def set_training_state(self, state: Dict[str, Any]) -> None:
        super().set_training_state(state)
        self.stream_trainer = None
        if state["streams"] is not None:
            self.stream_trainer = self._make_stream_trainer()
            self.stream_trainer.set_state(state["streams"])

    @property
    def _conditions(self) -> Optional[ConditionReader]:
        setting = self.cfg["condition"]
        if setting is None:
            return None
        return ConditionReader(self.name, setting, self.labels, self.cfg["condition_size"])

    def _condition_vectors(self, docs: List[Doc]) -> Optional[np.ndarray]:
        """The vectors from which documents start, float32 (docs, C), if they do."""
        return None if self._conditions is None else self._conditions.vectors(docs)

    # Generation

    def tokenize(self, text: str) -> Doc:
        """Split a text into tokens with the pipeline's current tokenizer.

        text (str): The text, of any length.
        RETURNS (Doc): Its tokens.
        """
        if self.nlp is None:
            raise ValueError(
                f"'{self.name}' reads words, but has no pipeline whose tokenizer splits a prompt "
                f"into them. Make it with nlp.add_pipe, or pass nlp to RNNLanguageModel."
            )
        # Not nlp.make_doc, which refuses long texts.
        return self.nlp.tokenizer(text)

    def generate(
        self,
        prompts: Iterable[str],
        *,
        max_length: int = 100,
        beam: Optional[int] = None,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        no_repeat_ngram_size: int = 0,
        seed: int = 0,
        stop: Sequence[str] = (),
        condition: Optional[Condition] = None,
    ) -> List[str]:
        """Continue texts, to the end of a document or a maximum length.

        prompts (Iterable[str]): The beginnings of the texts; an empty one begins a document. With
            words as units, the pipeline's tokenizer splits them.
        max_length (int): Maximum number of units to add.
        beam (Optional[int]): Search for the most probable continuation with this many hypotheses
            (1 is greedy); None samples one.
        temperature (float): Of sampling: below 1 it favors probable units, above 1 others.
        top_k (int): Sample from the k most probable units; 0 for all.
        top_p (float): Sample from the most probable units that make up the probability p (Holtzman
            et al. 2020).
        no_repeat_ngram_size (int): No n-gram of units of this size occurs twice; 0 allows all.
        seed (int): Of sampling. The same one gives the same continuation of a prompt, whatever the
            other prompts are. Equal prompts get different continuations.
        stop (Sequence[str]): A continuation ends before the first of these strings.
        condition (Optional[Condition]): The start of all texts, with the setting `condition`:
            labels with values, or a vector.
        RETURNS (List[str]): The prompts with their continuations.
        """
        prompts = list(required_texts(prompts, "Prompt"))
        if isinstance(stop, str) or not all(isinstance(text, str) and text for text in stop):
            raise ValueError(
                f"'stop' must be a list of texts that are not empty, such as ['the end'], got "
                f"{stop!r}."
            )
        at_least(1, max_length=max_length, beam=1 if beam is None else beam)
        search = Search(
            beam=beam or 1,
            length_penalty=0.0,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            no_repeat_ngram_size=no_repeat_ngram_size,
            seed=seed,
        )
        if not prompts:
            return []
        state = initial_state(self.model, self._condition_vector(condition))
        continuations = generate(
            self.model,
            prompts,
            state,
            self.tokenize,
            max_length,
            search.options(1),
            seed if beam is None else None,
        )
        texts = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            ends = [start for text in stop if (start := continuation.find(text)) >= 0]
            texts.append(prompt + continuation[: min(ends, default=None)])
        return texts

    def session(self, condition: Optional[Condition] = None) -> Session:
        """Start an incremental session for a text that is being typed, in which the cost of a
        keystroke does not grow with the text. See `Session.type` and `Session.suggest`.

        condition (Optional[Condition]): See `generate`.
        RETURNS (Session): The session.
        """
        return Session(self.model, self.tokenize, self._condition_vector(condition))

    def suggest(
        self, text: str, n: int = 5, *, condition: Optional[Condition] = None
    ) -> List[Suggestion]:
        """Suggest next words after a text, or words that complete its last one.

        text (str): The text. A space at its end asks for the next word.
        n (int): The number of words.
        condition (Optional[Condition]): See `generate`.
        RETURNS (List[Suggestion]): The most probable words, most probable first.
        """
        session = self.session(condition)
        session.type(text)
        return session.suggest(n)

    def _condition_vector(self, condition: Optional[Condition]) -> Optional[np.ndarray]:
        """The vector of a condition that a user passes, float32 (C,)."""
        if self._conditions is not None:
            return self._conditions.vector(condition)
        if condition is not None:
            raise ValueError(
                f"'{self.name}' was trained without a condition. Set condition to \"cats\", or to "
                f"the name of a Doc extension, and train again."
            )
        return None

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """Predict log-probabilities.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[np.ndarray]): For each document, the log-probability of each token and of the
            end, float64 (tokens + 1,).
        """
        docs = list(docs)
        return self._predict(docs, self._condition_vectors(docs)) if docs else []

    def _predict(self, docs: List[Doc], conditions: Optional[np.ndarray]) -> List[np.ndarray]:
        backward = is_backward(self.model)
        results = []
        for doc, log_p in zip(docs, log_probabilities(self.model, docs, conditions), strict=True):
            # The last prediction of a backward model is the boundary before the document.
            of_units, boundary = (log_p[1:], log_p[0]) if backward else (log_p[:-1], log_p[-1])
            tokens = self.shim.features.token_indices(doc)
            of_tokens = np.bincount(tokens, of_units.astype("float64"), minlength=len(doc))
            results.append(np.append(of_tokens, float(boundary)))
        return results

    def encoder_inputs(self, doc: Doc) -> List[EncoderInput]:
        """The input of the network of each direction; see `RNNPipe.encoder_inputs`."""
        return encoder_inputs(self.model, doc, self._condition_vectors([doc]))

    def attribution_target(self, doc: Doc, token: int) -> AttributionTarget:
        """The log-probability of a token after its left context, or for a backward model before
        its right context, which the units of that context explain.

        doc (Doc): The document.
        token (int): The index of the token; the number of tokens for the end.
        RETURNS (AttributionTarget): The prediction to explain.
        """
        return attribution_target(self.model, doc, token, self._condition_vectors([doc]))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """Score log-probabilities. A condition is taken from the gold documents.

        examples (Iterable[Example]): The examples to score.
        RETURNS (Dict[str, Any]): The scores.
        """
        examples = list(examples)
        if self.cfg["condition"] is not None and examples:
            docs = [eg.predicted for eg in examples]
            conditions = self._condition_vectors([eg.reference for eg in examples])
            self.set_annotations(docs, self._predict(docs, conditions))
        return super().score(examples, **kwargs)

    def set_annotations(self, docs: Iterable[Doc], log_probs: List[np.ndarray]) -> None:
        """Write log-probabilities to docs.

        docs (Iterable[Doc]): The documents to modify.
        log_probs (List[np.ndarray]): The result of `predict` for them.
        """
        for doc, values in zip(docs, log_probs, strict=True):
            doc._.set(self.cfg["attr"], values.tolist())
