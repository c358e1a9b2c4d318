"""The language model component."""

from dataclasses import replace
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model

from ..architectures.generation import Session, Suggestion, begin, generate
from ..architectures.language_model import (
    Reader,
    ask_token,
    inputs_of_doc,
    is_backward,
    log_probabilities,
)
from ..config.search import Search
from ..extensions import set_doc_extension, set_probability_extensions
from ..features.normalization import required_text
from ..runtime.attribution import EncoderInput, Question
from ..validation import at_least
from .base import ExampleStats, ReadLimits, RNNPipe

#: what a text starts from: labels with values, or a vector
Condition = Union[Mapping[str, float], Sequence[float], np.ndarray]
#: where `condition` takes the labels of a document from
CATS = "cats"

DEFAULT_MODEL = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.LanguageModel.v1"
    embedding_size = 128
    tied = true
    cutoffs = []
    embedding_dropout = 0.0
    activation_regularization = 0.0
    temporal_regularization = 0.0
    mixed_precision = "none"
    batch_tokens = 4096
    window = 512

    [model.units]
    @architectures = "spacy_rnn.CharacterUnits.v1"
    min_freq = 2

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    cell = "lstm"
    direction = "forward"
    hidden_size = 256
    depth = 1
    recurrent_dropout = 0.0
    residual = false
    layer_norm = false
    chrono_length = 0
    """
)["model"]


@Language.factory(
    "rnn_lm",
    default_config={
        "model": DEFAULT_MODEL,
        "streams": 20,
        "window": 70,
        "random_windows": False,
        "carry": False,
        "condition": None,
        "attr": "log_probability",
        "perplexity_attr": "perplexity",
        "scorer": {"@scorers": "spacy_rnn.language_model_scorer.v1"},
    },
    default_score_weights={
        "lm_token_probability": 1.0,
        "lm_perplexity": None,
        "lm_bits_per_character": None,
    },
)
def make_lm(
    nlp: Language,
    name: str,
    model: Model,
    streams: int,
    window: int,
    random_windows: bool,
    carry: bool,
    condition: Optional[str],
    attr: str,
    perplexity_attr: str,
    scorer: Optional[Callable],
) -> "RNNLanguageModel":
    """Make an RNN language model; see `RNNLanguageModel`."""
    return RNNLanguageModel(
        nlp.vocab,
        model,
        name,
        nlp=nlp,
        streams=streams,
        window=window,
        random_windows=random_windows,
        carry=carry,
        condition=condition,
        attr=attr,
        perplexity_attr=perplexity_attr,
        scorer=scorer,
    )


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

    nlp (Language): The pipeline, whose tokenizer reads prompts; needed where words are the units.
    streams (int): How many documents are read at once in training.
    window (int): Units of each after which the gradient is cut off (truncated back-propagation
        through time).
    random_windows (bool): Draw the size of each window around `window`.
    carry (bool): Read a training document from the state after the one before it on its stream,
        not from the beginning.
    condition (str): What is known of a document before its first unit: "cats", its labels, or the
        name of a Doc extension with a vector; None for nothing. The state starts from it.
    attr (str), perplexity_attr (str): Names of the extensions.
    """

    PERSISTED_CFG = ("labels", "condition_size")

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_lm",
        *,
        nlp: Optional[Language] = None,
        streams: int = 20,
        window: int = 70,
        random_windows: bool = False,
        carry: bool = False,
        condition: Optional[str] = None,
        attr: str = "log_probability",
        perplexity_attr: str = "perplexity",
        scorer: Optional[Callable] = None,
    ):
        at_least(1, streams=streams, window=window)
        if carry and condition is not None:
            raise ValueError(
                "A document can start from the one before it (carry) or from its own labels "
                "(condition), not from both. Set carry to false or condition to null."
            )
        super().__init__(
            vocab,
            model,
            name,
            scorer=scorer,
            labels=[],
            condition_size=0,
            streams=streams,
            window=window,
            random_windows=random_windows,
            carry=carry,
            condition=condition,
            attr=attr,
            perplexity_attr=perplexity_attr,
        )
        self.nlp = nlp
        self._reader: Optional[Reader] = None

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
            raise self._missing_data_error(
                get_examples, f"'{self.name}' has no text to learn from.", "All texts are empty."
            )
        labels = {label for eg in examples for label in eg.reference.cats}
        self.cfg["labels"] = sorted(labels) if self.cfg["condition"] == CATS else []
        self.cfg["condition_size"] = self._condition_size([eg.reference for eg in examples])
        self._reader = None
        outputs = {"condition": self.cfg["condition_size"]}
        self.model.initialize(X=[eg.predicted for eg in examples], Y=outputs)

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        condition = self.cfg["condition"]
        if condition is None:
            return ()
        return ("doc.cats",) if condition == CATS else (f"doc._.{condition}",)

    def example_stats(self, example: Example) -> ExampleStats:
        """The labels that it starts from, if it does."""
        cats = example.reference.cats if self.cfg["condition"] == CATS else {}
        labels = {CATS: [label for label, value in cats.items() if value > 0]} if cats else {}
        return super().example_stats(example)._replace(labels=labels)

    @property
    def read_limits(self) -> ReadLimits:
        # The state goes on from one window of prediction to the next.
        step = self.cfg["streams"] * self.cfg["window"]
        return replace(super().read_limits, window=None, step=step)

    def iter_losses(
        self, examples: List[Example]
    ) -> Iterator[Tuple[float, Callable[[float], Any]]]:
        """A loss for each window of the streams that the documents have joined."""
        if self._reader is None:
            settings = (self.cfg[k] for k in ("streams", "window", "carry", "random_windows"))
            self._reader = Reader(self.model, *settings)
        conditions = self._conditions([eg.reference for eg in examples])
        yield from self._reader.steps([eg.predicted for eg in examples], conditions)

    def _condition_size(self, docs: List[Doc]) -> int:
        condition = self.cfg["condition"]
        if condition is None:
            return 0
        if condition == CATS and self.labels:
            return len(self.labels)
        vectors = (self._vector(doc) for doc in docs) if condition != CATS else iter(())
        for vector in vectors:
            if vector is not None:
                return len(vector)
        where = "doc.cats" if condition == CATS else f"doc._.{condition}"
        raise ValueError(
            f"'{self.name}' is to start from what {where} says, but no training document has it. "
            f"Set it (and save it with DocBin(store_user_data=True)), or set condition to null."
        )

    def _conditions(self, docs: List[Doc]) -> Optional[np.ndarray]:
        """float32 (docs, C), what documents start from; zeros where nothing is known of one."""
        if self.cfg["condition"] is None:
            return None
        conditions = np.zeros((len(docs), self.cfg["condition_size"]), dtype="float32")
        for row, doc in zip(conditions, docs, strict=True):
            if self.cfg["condition"] == CATS:
                row[:] = [doc.cats.get(label, 0.0) for label in self.labels]
                continue
            vector = self._vector(doc)
            if vector is not None and len(vector) != len(row):
                raise ValueError(
                    f"'{self.name}' starts from vectors of {len(row)} numbers in "
                    f"doc._.{self.cfg['condition']}, but a document has one of {len(vector)}."
                )
            row[:] = 0.0 if vector is None else vector
        return conditions

    def _vector(self, doc: Doc) -> Optional[np.ndarray]:
        vector = doc._.get(self.cfg["condition"])
        try:
            return None if vector is None else np.asarray(vector, dtype="float32").reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"'{self.name}' starts from vectors of numbers in doc._.{self.cfg['condition']}, "
                f"but a document has {vector!r}."
            ) from error

    # Generation

    def tokenize(self, text: str) -> Doc:
        """A text in tokens, as the pipeline makes them now."""
        if self.nlp is None:
            raise ValueError(
                f"'{self.name}' has words as units, but no pipeline whose tokenizer finds them in "
                f"a prompt. Make it with nlp.add_pipe, or give nlp to RNNLanguageModel."
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
        block_ngrams: int = 0,
        seed: int = 0,
        stop: Sequence[str] = (),
        condition: Optional[Condition] = None,
    ) -> List[str]:
        """Continue texts, until the end of a document or so many units.

        prompts (Iterable[str]): How they begin; an empty one begins a document. With words as
            units, the pipeline's tokenizer finds the words.
        max_length (int): Units that are added at most.
        beam (int): Search for the most probable continuation with so many hypotheses, 1 being
            greedy, instead of drawing one.
        temperature (float): Of drawn texts: below 1 for probable ones, above for surprising ones.
        top_k (int), top_p (float): Draw among the k most probable units, 0 for all, or among those
            that make up the probability p (Holtzman et al. 2020).
        block_ngrams (int): No n-gram of units of this size twice; 0 allows all.
        seed (int): The same one draws the same continuation of a prompt, whatever the other
            prompts are. Equal prompts are drawn one by one.
        stop (Sequence[str]): Strings before which a continuation is cut.
        condition: What all texts start from, with the setting `condition`: labels with values, or
            a vector.
        RETURNS (List[str]): The prompts with their continuations.
        """
        if isinstance(prompts, str):
            raise ValueError("One prompt was given instead of a list. Put it into a list.")
        if isinstance(stop, str) or not all(isinstance(text, str) and text for text in stop):
            raise ValueError(
                f"'stop' is a list of texts that are not empty, such as ['the end'], not {stop!r}."
            )
        at_least(1, max_length=max_length, beam=1 if beam is None else beam)
        search = Search(
            beam=beam or 1,
            length_penalty=0.0,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            block_ngrams=block_ngrams,
            seed=seed,
        )
        prompts = [required_text(text, f"Prompt {i}") for i, text in enumerate(prompts, 1)]
        if not prompts:
            return []
        start = begin(self.model, self._condition_of(condition))
        seeded = seed if beam is None else None
        options = search.options(1)
        texts = []
        found = generate(self.model, prompts, start, self.tokenize, max_length, options, seeded)
        for prompt, continuation in zip(prompts, found, strict=True):
            ends = [place for text in stop if (place := continuation.find(text)) >= 0]
            texts.append(prompt + continuation[: min(ends, default=None)])
        return texts

    def session(self, condition: Optional[Condition] = None) -> Session:
        """For someone who types: each character costs the same, however long the text is. See
        `Session.type` and `Session.suggest`.

        condition: See `generate`.
        """
        return Session(self.model, self.tokenize, self._condition_of(condition))

    def suggest(
        self, text: str, n: int = 5, *, condition: Optional[Condition] = None
    ) -> List[Suggestion]:
        """The n most probable next words after a text, or those that complete its last word.

        text (str): What was typed. A blank at its end asks for the next word.
        n (int): How many.
        condition: See `generate`.
        RETURNS (List[Suggestion]): Words with probabilities, most probable first.
        """
        session = self.session(condition)
        session.type(text)
        return session.suggest(n)

    def _condition_of(self, condition: Optional[Condition]) -> Optional[np.ndarray]:
        """float32 (C,), from what a caller gives."""
        setting, size = self.cfg["condition"], self.cfg["condition_size"]
        if condition is None:
            return None if setting is None else np.zeros(size, dtype="float32")
        if setting is None:
            raise ValueError(
                f"'{self.name}' was trained without a condition. Set condition to \"cats\", or to "
                f"the name of a Doc extension, and train again."
            )
        if setting == CATS:
            if not isinstance(condition, Mapping) or set(condition) - set(self.labels):
                raise ValueError(
                    f"The condition of '{self.name}' is a dictionary of some of its labels "
                    f"{list(self.labels)} with their values, not {condition!r}."
                )
            condition = [condition.get(label, 0.0) for label in self.labels]
        try:
            vector = np.asarray(condition, dtype="float32").reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The condition of '{self.name}' takes {size} numbers, not {condition!r}."
            ) from error
        if len(vector) != size:
            raise ValueError(
                f"The condition of '{self.name}' is a vector of {size} numbers, not of "
                f"{len(vector)}."
            )
        return vector

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """The log-probability of each token of docs and of the end, float64 (tokens + 1,)."""
        docs = list(docs)
        return self._predict(docs, self._conditions(docs)) if docs else []

    def _predict(self, docs: List[Doc], conditions: Optional[np.ndarray]) -> List[np.ndarray]:
        found = log_probabilities(self.model, docs, conditions)
        backward = is_backward(self.model)
        results = []
        for doc, units in zip(docs, found, strict=True):
            # What a backward model foretells last is the boundary before the document.
            of_units, boundary = (units[1:], units[0]) if backward else (units[:-1], units[-1])
            owners = self.shim.features.owners(doc)
            tokens = np.bincount(owners, of_units.astype("float64"), minlength=len(doc))
            results.append(np.append(tokens, float(boundary)))
        return results

    def encoder_inputs(self, doc: Doc) -> List[EncoderInput]:
        return inputs_of_doc(self.model, doc, self._conditions([doc]))

    def attribution_target(self, doc: Doc, token: int) -> Question:
        """Why a token comes after what stands before it, by a backward model before what stands
        after it: its log-probability, which the units read until then explain.

        token (int): The index of the token; the number of tokens for the end.
        """
        return ask_token(self.model, doc, token, self._conditions([doc]))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """Score log-probabilities, as the scorer does. With a condition it is that of the gold
        document.

        examples (Iterable[Example]): The examples to score.
        RETURNS (Dict[str, Any]): The scores.
        """
        examples = list(examples)
        if self.cfg["condition"] is not None and examples:
            docs = [eg.predicted for eg in examples]
            conditions = self._conditions([eg.reference for eg in examples])
            self.set_annotations(docs, self._predict(docs, conditions))
        return super().score(examples, **kwargs)

    def set_annotations(self, docs: Iterable[Doc], found: List[np.ndarray]) -> None:
        """Write log-probabilities to docs.

        docs (Iterable[Doc]): The documents to modify.
        found: What `predict` returned for them.
        """
        for doc, values in zip(docs, found, strict=True):
            doc._.set(self.cfg["attr"], values.tolist())
