"""The baseline: a language model in plain torch, and the loop that trains it.

The network is that of `rnn_lm` with one layer: an embedding, `nn.LSTM`, and an output layer (a
linear layer over the units, `nn.AdaptiveLogSoftmaxWithLoss`, or an adaptive softmax that shares the
weights of the embedding); locked dropout before and after the LSTM, dropout of the embedding, and
weight-drop. It has the same initial weights. Id 0 is the boundary before and after each text, id 1
is for units that are not in the training texts.

What a window needs (sorting, padding, packing, indices) is prepared with the window, so that a step
only runs the kernels. The LSTM reads rows in one of the two ways of benchmarks/bare_tagger.py.
"""

import copy
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from bare_tagger import Packed, Padded, Rows
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import PackedSequence
from torch.optim.swa_utils import AveragedModel

#: of hidden and cell state, each (1, B, H)
State = tuple[Tensor, Tensor]
#: the next units of a stream with the one before them, and whether a text begins here
Part = tuple[Tensor, bool]
#: ids, or whatever a batcher knows the length of
Text = TypeVar("Text", bound=Sized)
BOUNDARY, UNKNOWN = 0, 1
WEIGHT_DECAY, CLIP = 0.01, 1.0
#: of the weights of a gate
INITIAL: dict[str, Callable[[Tensor], Tensor]] = {
    "weight_ih_l0": nn.init.xavier_uniform_,
    "weight_hh_l0": nn.init.orthogonal_,
    "bias_ih_l0": nn.init.zeros_,
    "bias_hh_l0": nn.init.zeros_,
}
#: steps and texts that are read at a time to find a perplexity
LONG, MANY = 128, 64


class Settings(NamedTuple):
    """The settings of a language model's config; see docs/reference/lm.md."""

    embedding_size: int
    hidden_size: int
    tied: bool
    cutoffs: list[int]
    embedding_dropout: float
    recurrent_dropout: float
    streams: int
    window: int
    dropout: float
    max_steps: int
    warmup_steps: int
    learn_rate: float
    eval_frequency: int
    seed: int


def settings_of(config: Mapping[str, Any]) -> Settings:
    component, training = config["components"]["lm"], config["training"]
    model, schedule = component["model"], training["optimizer"]["learn_rate"]
    assert schedule["total_steps"] == training["max_steps"]
    assert model.get("cutoffs") or not model.get("tied", True), "This network is not implemented."
    return Settings(
        model["embedding_size"],
        model["encoder"]["hidden_size"],
        model.get("tied", True),
        model.get("cutoffs", []),
        model.get("embedding_dropout", 0.0),
        model["encoder"].get("recurrent_dropout", 0.0),
        component["streams"],
        component["bptt_length"],
        training["dropout"],
        training["max_steps"],
        schedule["warmup_steps"],
        schedule["initial_rate"],
        training["eval_frequency"],
        training["seed"],
    )


class Vocabulary:
    """Units, each a string, the most frequent first."""

    def __init__(self, texts: Iterable[Sequence[str]], min_freq: int):
        counts = Counter(unit for text in texts for unit in text)
        frequent = [unit for unit, n in counts.items() if n >= min_freq]
        ordered = sorted(frequent, key=lambda unit: (-counts[unit], unit))
        self.ids = {unit: i for i, unit in enumerate(ordered, start=2)}

    def __len__(self) -> int:
        return len(self.ids) + 2

    def encode(self, text: Sequence[str]) -> Tensor:
        """With the boundary before and after it."""
        return torch.tensor([BOUNDARY, *(self.ids.get(unit, UNKNOWN) for unit in text), BOUNDARY])


# The network


class Window(NamedTuple):
    """A kernel has its rows in an order of its own, the longest first.

    inputs: the units that are read. order: (B,), the stream of each row, and back: the row of each
    stream. goes_on: (1, B, 1), 0 where a text begins, else 1. places: (N,), where the
    flat states of units are. targets: (N,), the units that come next.
    """

    inputs: Rows
    order: Tensor
    back: Tensor
    goes_on: Tensor
    places: Tensor
    targets: Tensor


def prepare(parts: Sequence[Part], way: str, device: str) -> Window:
    """A part of each stream as a window."""
    kind = Padded if way == "padded" else Packed
    order = sorted(range(len(parts)), key=lambda i: -len(parts[i][0]))
    units = [parts[i][0] for i in order]
    inputs = kind([part[:-1] for part in units], device)
    targets = kind([part[1:] for part in units], device)
    goes_on = torch.tensor([not parts[i][1] for i in order], device=device).float()
    rows = torch.tensor(order, device=device)
    places = inputs.real.nonzero().squeeze(1)
    return Window(
        inputs, rows, rows.argsort(), goes_on.view(1, -1, 1), places, targets.ids.flatten()[places]
    )


class TiedAdaptiveSoftmax(nn.Module):
    """The loss of an adaptive softmax over states, projected to the width of the embedding, whose
    weights it shares."""

    def __init__(self, table: Tensor, hidden_size: int, cutoffs: Sequence[int]):
        super().__init__()
        size = table.shape[1]
        self.table = table
        self.cutoffs = [*cutoffs, len(table)]
        self.project = nn.Linear(hidden_size, size)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        self.clusters = nn.Parameter(torch.empty(len(cutoffs), size))
        nn.init.normal_(self.clusters, std=size**-0.5)
        self.head_bias = nn.Parameter(torch.zeros(cutoffs[0] + len(cutoffs)))
        self.tail_bias = nn.Parameter(torch.zeros(len(table) - cutoffs[0]))

    def forward(self, states: Tensor, targets: Tensor) -> Tensor:
        x = self.project(states)
        n_frequent = self.cutoffs[0]
        head = torch.cat([self.table[:n_frequent], self.clusters])
        in_head = targets
        loss = x.new_zeros(())
        for i, (start, end) in enumerate(pairwise(self.cutoffs)):
            rows = ((targets >= start) & (targets < end)).nonzero().squeeze(1)
            in_head = in_head.index_fill(0, rows, n_frequent + i)
            bias = self.tail_bias[start - n_frequent : end - n_frequent]
            scores = nn.functional.linear(x[rows], self.table[start:end], bias)
            loss = loss + nn.functional.cross_entropy(
                scores, targets[rows] - start, reduction="sum"
            )
        scores = nn.functional.linear(x, head, self.head_bias)
        return loss + nn.functional.cross_entropy(scores, in_head, reduction="sum")


class BareLM(nn.Module):
    def __init__(self, n_units: int, settings: Settings):
        super().__init__()
        embedding_size, hidden_size = settings.embedding_size, settings.hidden_size
        self.embedding_dropout = settings.embedding_dropout
        self.recurrent_dropout = settings.recurrent_dropout
        # In the order of `rnn_lm`, so that a seed gives the same weights.
        self.lstm = nn.LSTM(embedding_size, hidden_size)
        for name, parameter in self.lstm.named_parameters():
            for gate in parameter.data.chunk(4):
                INITIAL[name](gate)
            if name == "bias_ih_l0":
                # The forget gate starts open.
                parameter.data.chunk(4)[1].fill_(1.0)
        self.embedding = nn.Embedding(n_units, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        self.output: nn.Linear | nn.AdaptiveLogSoftmaxWithLoss | TiedAdaptiveSoftmax
        # A small vocabulary does not reach all of them.
        cutoffs = [cut for cut in settings.cutoffs if cut < n_units - 1]
        if cutoffs and settings.tied:
            self.output = TiedAdaptiveSoftmax(self.embedding.weight, hidden_size, cutoffs)
        elif cutoffs:
            self.output = nn.AdaptiveLogSoftmaxWithLoss(
                hidden_size, n_units, cutoffs, head_bias=True
            )
        else:
            self.output = nn.Linear(hidden_size, n_units)
            nn.init.zeros_(self.output.bias)
            nn.init.xavier_uniform_(self.output.weight)

    def start(self, n_rows: int) -> State:
        zeros = self.embedding.weight.new_zeros(1, n_rows, self.lstm.hidden_size)
        return zeros, zeros

    def forward(self, window: Window, state: State, dropout: float) -> tuple[Tensor, State]:
        """The loss, summed over the targets, and the state after the window; both states are in the
        order of the streams."""
        inputs = window.inputs
        h, c = (part.index_select(1, window.order) * window.goes_on for part in state)
        table, recurrent = self.embedding.weight, self.lstm.weight_hh_l0
        if dropout and self.embedding_dropout:
            table = table * nn.functional.dropout(
                torch.ones_like(table[:, :1]), self.embedding_dropout
            )
        if dropout and self.recurrent_dropout:
            recurrent = nn.functional.dropout(recurrent, self.recurrent_dropout)
        x = nn.functional.embedding(inputs.ids, table)
        x = inputs.drop(x, dropout) if dropout else x
        rows = PackedSequence(x, inputs.sizes) if isinstance(inputs, Packed) else x
        # The state after a shorter row is not used: its stream continues with another text.
        y, after = functional_call(self.lstm, {"weight_hh_l0": recurrent}, (rows, (h, c)))
        y = y.data if isinstance(inputs, Packed) else y
        y = inputs.drop(y, dropout) if dropout else y
        y = inputs.flat(y).index_select(0, window.places)
        if isinstance(self.output, TiedAdaptiveSoftmax):
            loss = self.output(y, window.targets)
        elif isinstance(self.output, nn.Linear):
            loss = nn.functional.cross_entropy(self.output(y), window.targets, reduction="sum")
        else:
            loss = -self.output(y, window.targets).output.sum()
        h, c = (part.detach().index_select(1, window.back) for part in after)
        return loss, (h, c)


@torch.inference_mode()
def perplexity(network: BareLM, texts: Sequence[Tensor]) -> float:
    """The perplexity of units, each given all units before it in its text and the boundary. The
    ends of texts do not count as units.

    texts: as `Vocabulary.encode` gives them.
    """
    ordered = sorted((text[:-1] for text in texts if len(text) > 2), key=len, reverse=True)
    total, n_units = 0.0, 0
    for first in range(0, len(ordered), MANY):
        some = ordered[first : first + MANY]
        h, c = network.start(len(some))
        for start in range(0, len(some[0]) - 1, LONG):
            some = [text for text in some if len(text) - 1 > start]
            parts = [(text[start : start + LONG + 1], False) for text in some]
            window = prepare(parts, "padded", "cpu")
            loss, (h, c) = network(window, (h[:, : len(some)], c[:, : len(some)]), 0.0)
            total += float(loss)
            n_units += len(window.targets)
    return math.exp(total / n_units)


# Training


class Streams:
    """Texts that wait to be read side by side, each on the stream that is shortest when it comes. A
    window takes the next units of each stream, of one text only.

    size: units of a stream in a window.
    """

    def __init__(self, n: int, size: int):
        self.size = size
        #: what is left of each text, and whether it begins
        self.waiting: list[deque[Part]] = [deque() for _ in range(n)]
        self.lengths = [0] * n

    def push(self, text: Tensor) -> None:
        """text: as `Vocabulary.encode` gives them."""
        shortest = self.lengths.index(min(self.lengths))
        self.waiting[shortest].append((text, True))
        self.lengths[shortest] += len(text) - 1

    def windows(self) -> Iterator[list[Part]]:
        """Those for which all streams have units."""
        while min(self.lengths):
            yield [self._take(i) for i in range(len(self.waiting))]

    def _take(self, i: int) -> Part:
        text, begins = self.waiting[i].popleft()
        part, left = text[: self.size + 1], text[self.size :]
        if len(left) > 1:
            self.waiting[i].appendleft((left, False))
        self.lengths[i] -= len(part) - 1
        return part, begins


def shuffled(
    texts: Sequence[Text], batcher: Callable[[list[Text]], Iterable[list[Text]]], seed: int
) -> Iterator[list[Text]]:
    """Endless batches in the order of spaCy's training loop: shuffled in each epoch, the shortest
    text of a batch first."""
    rng = random.Random(seed)
    epoch = list(texts)
    while True:
        rng.shuffle(epoch)
        for batch in batcher(epoch):
            yield sorted(batch, key=len)


class Learner:
    """Steps by the gradient of the mean loss over some windows: clipping of its norm, torch's fused
    AdamW, whose weight decay leaves out biases and the embedding."""

    def __init__(self, network: BareLM, n_streams: int, dropout: float):
        self.network = network
        self.dropout = dropout
        self.state = network.start(n_streams)
        embedding = network.embedding.weight
        own = [p for p in network.parameters() if p.ndim > 1 and p is not embedding]
        others = [p for p in network.parameters() if p.ndim == 1 or p is embedding]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": own, "weight_decay": WEIGHT_DECAY},
                {"params": others, "weight_decay": 0.0},
            ],
            fused=True,
        )

    def update(self, steps: Sequence[Sequence[Window]]) -> None:
        self.network.train()
        for windows in steps:
            self.optimizer.zero_grad()
            n_units = sum(len(window.targets) for window in windows)
            for window in windows:
                loss, self.state = self.network(window, self.state, self.dropout)
                (loss / n_units).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
            self.optimizer.step()


def train(
    network: BareLM,
    batches: Iterator[list[Tensor]],
    settings: Settings,
    score: Callable[[Any], float],
) -> None:
    """As `spacy train` does; the network ends with the averages of weights that score lowest.

    A batch without a window, such as the first ones until all streams have a text, counts as a step
    of the schedule, too.
    """
    streams = Streams(settings.streams, settings.window)
    learner = Learner(network, settings.streams, settings.dropout)
    averages = AveragedModel(network, avg_fn=_average)
    best, kept = math.inf, copy.deepcopy(network.state_dict())
    for step in range(settings.max_steps + 1):
        for text in next(batches):
            streams.push(text)
        windows = [prepare(parts, "padded", "cpu") for parts in streams.windows()]
        if windows:
            for group in learner.optimizer.param_groups:
                group["lr"] = settings.learn_rate * _schedule(settings, step)
            learner.update([windows])
            averages.update_parameters(network)
        if step and step % settings.eval_frequency == 0:
            found = score(averages.module)
            print(f"bare torch, step {step}: perplexity {found:.2f}", flush=True)
            if found < best:
                best, kept = found, copy.deepcopy(averages.module.state_dict())
    network.load_state_dict(kept)


def _schedule(settings: Settings, step: int) -> float:
    """thinc's warmup_linear.v1."""
    if step < settings.warmup_steps:
        return step / settings.warmup_steps
    return (settings.max_steps - step) / (settings.max_steps - settings.warmup_steps)


def _average(average: Tensor, weights: Tensor, n: Tensor | int) -> Tensor:
    """A running average after n updates, over a span that grows with training, as thinc's."""
    return average.lerp(weights, 9.0 / (11.0 + float(n)))
