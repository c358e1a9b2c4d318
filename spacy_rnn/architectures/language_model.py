"""The language model's architecture."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor, nn

from ..config.encoder import RNNEncoder, settings_of
from ..config.units import UnitsConfig, learn_units, make_units, training_units
from ..features.streams import BACKWARD, FORWARD, Streams, Window
from ..features.units import Units
from ..nn import language_model as nn_language_model
from ..nn.rnn import Encoder
from ..runtime.attribution import EncoderInput, Question, check_place
from ..runtime.batching import Limits, batches_of, lengths_of
from ..runtime.model import Architecture, Precision, make_model
from ..runtime.shim import TorchShim, shim_of
from ..runtime.tok2vec import Texts
from ..validation import at_least, number_at_least, rate

#: how units are written that are a blank, or begin with one, and those that stand for nothing
BLANK, UNKNOWN = "\u2581", "<unk>"


@dataclass(frozen=True)
class LanguageModelArchitecture(Architecture):
    """The parts of a language model."""

    units: UnitsConfig
    encoder: RNNEncoder
    embedding_size: int
    tied: bool
    cutoffs: Sequence[int]
    embedding_dropout: float
    activation_regularization: float
    temporal_regularization: float

    def features(self) -> Units:
        return make_units(self.units)

    def initialize(self, shim: TorchShim, X: Sequence[Doc], Y: Dict[str, int]) -> None:
        """X: the docs. Y: "condition", the width of the vector that each of them has."""
        learn_units(self.units, shim.features, X)
        shim.build({"units": len(shim.features), **Y})

    def module(self, features: Units, outputs: Dict[str, int]) -> nn.ModuleDict:
        """One network for each direction."""
        directions = {"forward": [FORWARD], "backward": [BACKWARD], "both": [FORWARD, BACKWARD]}
        # A backward one reads reversed sequences.
        encoder = replace(self.encoder, direction="forward")
        return nn.ModuleDict(
            {
                name: nn_language_model.LanguageModel(
                    outputs["units"],
                    self.embedding_size,
                    encoder.module(self.embedding_size),
                    tied=self.tied,
                    # A small vocabulary does not reach all of them.
                    cutoffs=[cut for cut in self.cutoffs if cut < outputs["units"] - 1],
                    embedding_dropout=self.embedding_dropout,
                    condition_size=outputs["condition"],
                )
                for name in directions[self.encoder.direction]
            }
        )

    def predict(
        self,
        shim: TorchShim,
        texts: Texts,
        limits: Limits,
        conditions: Optional[np.ndarray] = None,
    ) -> List[np.ndarray]:
        """The log-probability of each unit of documents and of their ends, float32 (units + 1,),
        by the forward network; by a backward one that is alone, of beginnings instead of ends.

        conditions: float32 (docs, C), the vector that each of them has; zeros by default, of which
            nothing is known.
        """
        module: Any = shim.module
        if conditions is None and shim.outputs["condition"]:
            conditions = np.zeros((len(texts.docs), shim.outputs["condition"]), dtype="float32")
        name = FORWARD if FORWARD in module else BACKWARD
        step = -1 if name == BACKWARD else 1
        sequences = [
            _bounded(shim.features, ids)[::step] for ids in shim.features.encode(texts.docs)
        ]
        lengths = lengths_of(sequences) - 1
        results = [np.empty(n, dtype="float32") for n in lengths]
        for batch in batches_of(np.minimum(lengths, limits.window), limits.batch_tokens):
            given = _tensor(None if conditions is None else conditions[batch], shim.device)
            state = shim.predict(partial(_start, name=name, n_rows=len(batch), condition=given))
            for start in range(0, int(lengths[batch].max()), limits.window):
                alive = np.flatnonzero(lengths[batch] > start)
                batch = batch[alive]
                state = state.index_select(2, torch.from_numpy(alive).to(shim.device))
                rows = [sequences[i][start : start + limits.window + 1] for i in batch]
                found, state = shim.predict(partial(_foretell, name=name, rows=rows, state=state))
                ends = np.cumsum(lengths_of(rows) - 1)
                for i, part in zip(batch, np.split(found.cpu().numpy(), ends[:-1]), strict=True):
                    results[i][start : start + len(part)] = part
        return [found[::step] for found in results]


def make_language_model(
    units: UnitsConfig,
    encoder: Model,
    embedding_size: int = 128,
    tied: bool = True,
    cutoffs: Sequence[int] = (),
    embedding_dropout: float = 0.0,
    activation_regularization: float = 0.0,
    temporal_regularization: float = 0.0,
    mixed_precision: Precision = "none",
    batch_tokens: int = 4096,
    window: int = 512,
) -> Model:
    """spacy_rnn.LanguageModel.v1: a recurrent language model, or one of each direction.

    units: spacy_rnn.CharacterUnits.v1, spacy_rnn.SentencePieces.v1 or spacy_rnn.WordUnits.v1.
    encoder: spacy_rnn.RNNEncoder.v1; with direction "both" there are two models, which share
        nothing but the units.
    embedding_size: width of the vectors of units.
    tied: the output layer has the weights of the embedding; where the encoder is of another width,
        a linear layer stands between them.
    cutoffs: the first unit, by frequency, of each cluster of an adaptive softmax, for vocabularies
        of tens of thousands; none for a full softmax. Needs `tied` false.
    embedding_dropout: rate at which vectors of units are dropped in a training step.
    activation_regularization, temporal_regularization: what is added to the loss for large states
        and for their change (AR and TAR, Merity et al. 2017), a factor each.
    mixed_precision: train and predict in half precision on a GPU; quietly off on a CPU.
    batch_tokens: units in a batch of prediction, padding counted. Bounds memory; results do not
        depend on it.
    window: units of a text that are read at a time in prediction. The state goes on, so that
        results do not depend on it.

    The model predicts, for a list of docs, a list of arrays: float32 (units + 1,), the
    log-probability of each unit and of the end.
    """
    at_least(1, embedding_size=embedding_size)
    number_at_least(
        0,
        activation_regularization=activation_regularization,
        temporal_regularization=temporal_regularization,
    )
    rate(embedding_dropout=embedding_dropout)
    if list(cutoffs) != sorted(set(cutoffs)) or any(cut < 1 for cut in cutoffs):
        raise ValueError(f"'cutoffs' must rise and be at least 1, got {list(cutoffs)}.")
    architecture = LanguageModelArchitecture(
        units,
        settings_of(encoder),
        embedding_size,
        tied,
        tuple(cutoffs),
        embedding_dropout,
        activation_regularization,
        temporal_regularization,
    )
    return make_model("rnn_lm", architecture, mixed_precision, batch_tokens, window, 0)


def networks_of(shim: TorchShim) -> nn.ModuleDict:
    """The network of each direction, by its name."""
    module = shim.module
    assert isinstance(module, nn.ModuleDict)
    return module


class Reader:
    """Reads training documents on parallel streams (see `Streams`), on which the states of the
    network go on from batch to batch.

    n_streams, window, carry, random_windows: see `Streams`.
    """

    def __init__(
        self, model: Model, n_streams: int, window: int, carry: bool, random_windows: bool
    ):
        self.model = model
        shim = shim_of(model)
        # spaCy seeds numpy's generator. All directions draw the same sizes.
        seed = np.random.randint(1 << 31)
        self.streams = {
            name: Streams(
                n_streams, window, carry, np.random.default_rng(seed) if random_windows else None
            )
            for name in networks_of(shim)
        }
        self._states: Dict[str, Tensor] = {}

    def steps(
        self, docs: Sequence[Doc], conditions: Optional[np.ndarray]
    ) -> Iterator[Tuple[float, Callable[[float], None]]]:
        """The summed loss of each window that is there once a batch of documents has joined the
        streams, and what adds its gradient up.

        conditions: float32 (docs, C), the vector that each of them has, if they have any.
        """
        shim = shim_of(self.model)
        found = training_units(shim.architecture.units, shim.features, docs)
        for i, ids in enumerate(found):
            condition = None if conditions is None else conditions[i]
            units = _bounded(shim.features, ids)
            for name, streams in self.streams.items():
                streams.push(units[::-1] if name == BACKWARD else units, condition)
        directions = [streams.windows() for streams in self.streams.values()]
        for together in zip(*directions, strict=True):
            named = dict(zip(self.streams, together, strict=True))
            yield shim.begin_update(
                partial(self._losses, shim.architecture, named),
                sum(len(window.targets) for window in together),
                self.model.attrs["dropout_rate"],
            )

    def _losses(
        self,
        network: LanguageModelArchitecture,
        windows: Dict[str, Window],
        modules: nn.ModuleDict,
    ) -> Tensor:
        losses = [
            self._loss(network, modules[name], name, window)  # type: ignore[arg-type]
            for name, window in windows.items()
        ]
        return torch.stack(losses).sum()

    def _loss(
        self,
        network: LanguageModelArchitecture,
        module: nn_language_model.LanguageModel,
        name: str,
        window: Window,
    ) -> Tensor:
        device = module.embedding.weight.device
        state = module.start(len(window.lengths), _tensor(window.conditions, device))
        if name in self._states:
            fresh = torch.from_numpy(window.starts).to(device).view(1, 1, -1, 1)
            state = torch.where(fresh, state, self._states[name])
        inputs, targets = (
            torch.from_numpy(units).to(device) for units in (window.inputs, window.targets)
        )
        # Of the rows only those that are as long as the window go on.
        read = module(inputs, torch.from_numpy(window.lengths), state, longest=True)
        self._states[name] = read.final.detach().to(state.dtype)
        return nn_language_model.language_loss(
            module,
            read.states,
            targets,
            window.lengths,
            network.activation_regularization,
            network.temporal_regularization,
        )


def _tensor(array: Optional[np.ndarray], device: torch.device) -> Optional[Tensor]:
    return None if array is None else torch.from_numpy(array).to(device)


def _bounded(units: Units, ids: np.ndarray) -> np.ndarray:
    """With the boundary before and after them."""
    return np.concatenate([[units.boundary], ids, [units.boundary]])


def log_probabilities(
    model: Model, docs: Sequence[Doc], conditions: Optional[np.ndarray]
) -> List[np.ndarray]:
    """See `LanguageModelArchitecture.predict`."""
    shim = shim_of(model)
    return shim.architecture.predict(shim, Texts(docs), model.attrs["limits"], conditions)


def is_backward(model: Model) -> bool:
    """Whether the only network reads texts from their end."""
    return FORWARD not in networks_of(shim_of(model))


def _start(modules: Any, name: str, n_rows: int, condition: Optional[Tensor]) -> Tensor:
    return modules[name].start(n_rows, condition)


def _foretell(
    modules: Any, name: str, rows: Sequence[np.ndarray], state: Tensor
) -> Tuple[Tensor, Tensor]:
    """The log-probabilities of all units of rows but the first ones, and the states after them."""
    module: nn_language_model.LanguageModel = modules[name]
    device = module.embedding.weight.device
    inputs, targets = (
        torch.from_numpy(np.concatenate(parts)).to(device)
        for parts in ([row[:-1] for row in rows], [row[1:] for row in rows])
    )
    read = module(inputs, torch.from_numpy(lengths_of(rows) - 1), state, longest=True)
    return module.output.log_probabilities(read.states, targets), read.final


def inputs_of_doc(model: Model, doc: Doc, conditions: Optional[np.ndarray]) -> List[EncoderInput]:
    """What the network of each direction reads of a document after the boundary before it.

    conditions: float32 (1, C), the vector that the document has, if it has any.
    """
    shim = shim_of(model)
    (ids,) = shim.features.encode([doc])
    condition = _tensor(conditions, shim.device)
    found = []
    for name in networks_of(shim):
        rows = _rows(shim, name, ids[::-1] if name == BACKWARD else ids)
        boundary = torch.tensor([shim.features.boundary], device=shim.device)
        read = partial(_read_boundary, name=name, boundary=boundary, condition=condition)
        found.append(rows._replace(start=shim.predict(read)))
    return found


def ask_token(model: Model, doc: Doc, token: int, conditions: Optional[np.ndarray]) -> Question:
    """Why a token of a document comes after what stands before it or, where the only network is a
    backward one, before what stands after it. The end, or for that one the beginning, has the
    number of tokens as its number. Of both directions it is the forward one that is asked.

    conditions: see `inputs_of_doc`.
    """
    check_place(token, len(doc) + 1, "token")
    shim = shim_of(model)
    backward = is_backward(model)
    step = -1 if backward else 1
    ids = np.append(shim.features.encode([doc])[0][::step], shim.features.boundary)
    owners = np.append(shim.features.owners(doc)[::step], len(doc))
    places = np.flatnonzero(owners == token)
    if not len(places):
        raise ValueError(
            f"The token {token}, '{doc[token].text}', has no unit of its own: the model reads it "
            f"as a part of its neighbor. Ask for that one."
        )
    name = BACKWARD if backward else FORWARD
    score = partial(
        _token_score,
        name=name,
        boundary=shim.features.boundary,
        targets=torch.from_numpy(ids[places]).to(shim.device),
        condition=_tensor(conditions, shim.device),
    )
    if token < len(doc):
        what = f"'{doc[token].text}'"
    else:
        what = "the beginning of the text" if backward else "the end of the text"
    rows = _rows(shim, name, ids[: places[-1]])
    return Question(rows, f"log-probability of {what}", score)


def _rows(shim: TorchShim, name: str, ids: np.ndarray) -> EncoderInput:
    """Of units in the order in which the network of this name reads them."""
    surfaces = shim.features.surfaces
    names = [surfaces[i].replace(" ", BLANK) or UNKNOWN for i in ids.tolist()]
    on_device = torch.from_numpy(ids.copy()).to(shim.device)
    vectors = shim.predict(lambda modules: modules[name].table().index_select(0, on_device))
    lengths = torch.tensor([len(ids)])
    return EncoderInput(
        partial(_encoder, name=name), names, vectors, lengths, backward=name == BACKWARD
    )


def _encoder(modules: Any, name: str) -> Encoder:
    return modules[name].encoder


def _read_boundary(
    modules: Any, name: str, boundary: Tensor, condition: Optional[Tensor]
) -> Tensor:
    """The state after the boundary before a document, (S, depth, 1, H)."""
    module: nn_language_model.LanguageModel = modules[name]
    start = module.start(1, condition)
    return module.encoder.step(module.table(), torch.tensor([1]), boundary, start)[1]


def _token_score(
    modules: Any,
    vectors: Tensor,
    *,
    name: str,
    boundary: int,
    targets: Tensor,
    condition: Optional[Tensor],
) -> Tensor:
    module: nn_language_model.LanguageModel = modules[name]
    n = len(vectors)
    before = module.table()[boundary].expand(n, 1, -1)
    state = module.start(n, None if condition is None else condition.expand(n, -1))
    return module.foretell(torch.cat([before, vectors], dim=1), state, targets)
