"""The kernels that the networks choose from: the measurements behind `choose_layout` and
`step_overhead` in spacy_rnn/nn/rnn.py and `linear` in spacy_rnn/nn/linear.py.

First, the words/s of the padded kernel divided by those of the packed one, by cell, in training
(forward and backward pass) and prediction, for batches of 64 sentences of UD English EWT, random or
sorted to need less padding, and for the characters of their distinct words. Fill is the share of a
padded grid that is not padding; the padded kernel may split a batch into groups that need less
padding. Each round has new batches, as in real use, because oneDNN compiles its kernels for the
shape of a batch when the shape first occurs.

Second, the fixed cost of a time step of the padded LSTM, in rows: a step over n rows takes a + b n,
and the cost is a / b.

Third, the speed of oneDNN's matrix product divided by that of torch's default, MKL, by the number
of rows of the input and the layer's two sizes.

    python benchmarks/kernels.py [--quick]
"""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain

import common
import numpy as np
import spacy
import torch
from common import by_turns, ratio, show, speed

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn import onednn
from spacy_rnn.nn.layout import step_overhead
from spacy_rnn.nn.rnn import Encoder

CELLS = ("lstm", "gru", "rnn_tanh")
SHAPES = ((50, 25), (100, 64), (150, 128), (150, 200), (400, 200))
ROWS = (1, 4, 16, 64)
STEPS = 25
PRODUCTS = [(n, *layer) for layer in ((256, 256), (512, 1024), (256, 8000)) for n in (4, 32, 256)]
SENTENCES = 64

Lengths = np.ndarray
#: flat vectors and the lengths of their sequences
Inputs = list[tuple[torch.Tensor, torch.Tensor]]


def batches_of(lengths: Sequence[int], pool: int, n: int, seed: int) -> list[Lengths]:
    """Random batches of 64 sentences, which are sorted by length within pools of `pool` batches."""
    rng = random.Random(seed)
    order = rng.sample(lengths, len(lengths))
    batches = []
    for start in range(0, len(order) - pool * SENTENCES + 1, pool * SENTENCES):
        ordered = sorted(order[start : start + pool * SENTENCES])
        batches += [ordered[i : i + SENTENCES] for i in range(0, len(ordered), SENTENCES)]
    return [np.array(batch) for batch in rng.sample(batches, n)]


def characters_of(sentences: Sequence[Sequence[str]], n: int, seed: int) -> list[Lengths]:
    """The lengths of the distinct words of batches of 64 sentences."""
    order = random.Random(seed).sample(sentences, n * SENTENCES)
    groups = [order[i * SENTENCES : (i + 1) * SENTENCES] for i in range(n)]
    distinct = [sorted({word for words in group for word in words}) for group in groups]
    return [np.array([min(len(word), 24) for word in words]) for words in distinct]


def fill(batches: Sequence[Lengths]) -> float:
    """The share of the padded grids of all batches that is not padding."""
    return sum(b.sum() for b in batches) / sum(b.max() * len(b) for b in batches)


def run(encoder: Encoder, inputs: Inputs) -> None:
    """One pass, with gradients if the encoder is in training mode."""
    with torch.set_grad_enabled(encoder.training):
        for x, lengths in inputs:
            y = encoder(x, lengths)
            if encoder.training:
                y.sum().backward()


def passes(
    cell: str, shape: tuple[int, int], rounds: Sequence[Sequence[Lengths]], training: bool
) -> dict[str, Callable[[], float]]:
    """For each kernel, a side that runs a pass over the batches of the next round."""
    encoder = RNNEncoder(cell=cell, hidden_size=shape[1], depth=1).module(shape[0]).train(training)
    inputs = [
        [(torch.randn(int(b.sum()), shape[0]), torch.from_numpy(b)) for b in batches]
        for batches in rounds
    ]

    def with_kernel(kernel: str, batches: Iterator[Inputs]) -> None:
        encoder.layout = kernel
        run(encoder, next(batches))

    return {
        kernel: speed(1, partial(with_kernel, kernel, iter(inputs)))
        for kernel in ("padded", "packed")
    }


def measured_overhead(shape: tuple[int, int], training: bool, rounds: int) -> float:
    """The cost of a step in rows, fitted to the speed at several numbers of rows."""
    encoder = RNNEncoder(hidden_size=shape[1], depth=1, direction="forward").module(shape[0])
    encoder.train(training).layout = "padded"
    sides = {}
    for rows in ROWS:
        inputs = [(torch.randn(rows * STEPS, shape[0]), torch.full((rows,), STEPS))] * 4
        sides[str(rows)] = speed(rows, partial(run, encoder, inputs))
    speeds = by_turns(sides, rounds)
    seconds = np.array([n / max(speeds[str(n)]) for n in ROWS])
    # Least squares of relative errors: (a + b n) / seconds = 1.
    terms = np.stack([np.ones(len(ROWS)), np.array(ROWS)], axis=1) / seconds[:, None]
    (a, b), *_ = np.linalg.lstsq(terms, np.ones(len(ROWS)), rcond=None)
    return float(a / b)


def product_ratio(n: int, input_size: int, output_size: int, rounds: int) -> float:
    """The speed of oneDNN's product divided by that of MKL's."""
    x, weight = torch.randn(n, input_size), torch.randn(output_size, input_size)
    times = max(1, 2**26 // (n * weight.numel()))

    def repeat(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        with torch.inference_mode():
            for _ in range(times):
                function(x, weight)

    functions = {"onednn": onednn.product, "mkl": torch.nn.functional.linear}
    sides = {name: speed(times, partial(repeat, function)) for name, function in functions.items()}
    speeds = by_turns(sides, rounds)
    return ratio(speeds["onednn"], speeds["mkl"])


def main() -> None:
    options = common.parser(__doc__).parse_args()
    common.one_thread()
    n, rounds = (2, 1) if options.quick else (12, 5)
    docs = common.treebank("train", spacy.blank("en").vocab, 4000)
    sentences = [common.words_of(doc) for doc in docs]
    lengths = list(map(len, sentences))
    word_shape, character_shape = (150, 200), (50, 25)
    # by_turns has a warm-up round before the others
    seeds = range(rounds + 1)
    kinds = {
        "random": (word_shape, [batches_of(lengths, 1, n, seed) for seed in seeds]),
        "half_sorted": (word_shape, [batches_of(lengths, 6, n, seed) for seed in seeds]),
        "sorted": (word_shape, [batches_of(lengths, 40, n, seed) for seed in seeds]),
        "characters": (character_shape, [characters_of(sentences, n, seed) for seed in seeds]),
    }
    result: dict[str, float] = {}
    rows = []
    for cell in CELLS:
        for kind, (shape, batches) in kinds.items():
            ratios = []
            for mode in ("train", "predict"):
                speeds = by_turns(passes(cell, shape, batches, mode == "train"), rounds)
                ratios.append(ratio(speeds["padded"], speeds["packed"]))
                result[f"{cell}_{kind}_{mode}"] = ratios[-1]
            rows.append([f"{cell}, {kind}", fill(list(chain(*batches))), *ratios])
    show("Words/s, padded / packed", ["", "fill", "train", "predict"], rows)
    rows = []
    for shape in SHAPES:
        name = "{}x{}".format(*shape)
        found = [measured_overhead(shape, mode, rounds) for mode in (True, False)]
        result |= {f"overhead_{name}_train": found[0], f"overhead_{name}_predict": found[1]}
        rows.append([name, *found, step_overhead(*shape, True), step_overhead(*shape, False)])
    show(
        "Cost of a step, in rows",
        ["input x hidden", "train", "predict", "in use, train", "in use, predict"],
        rows,
    )
    rows = []
    for sizes in PRODUCTS:
        name = "x".join(map(str, sizes))
        result[f"product_{name}"] = product_ratio(*sizes, rounds)
        rows.append([name, result[f"product_{name}"]])
    show("Speed of products, oneDNN / MKL", ["rows x input x output", "ratio"], rows)
    common.finish({key: round(value, 3) for key, value in result.items()})


if __name__ == "__main__":
    main()
