"""How far back cells remember: the adding problem and the recall of a first symbol, learned from
new random sequences by the package's encoder (64 units, batches of 64, Adam at 0.002, clipping at
1.0, at most 1,500 steps), and how much of a gradient arrives 50 steps back in an untrained layer.

    python benchmarks/memory.py [--quick] [--seeds N ...] [--plots DIR]

A task is solved when, over 20 steps, the mean squared error is below 0.01 or the mean accuracy
above 0.99. `python -m spacy rnn memory` does the same for any cell, depth, direction and length.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import common
import torch
from common import show

from spacy_rnn.analysis.gradients import gradient_norms
from spacy_rnn.analysis.memory import (
    RunSummary,
    TrainingSettings,
    Variant,
    plot_memory,
    summarize_runs,
    train_all,
)
from spacy_rnn.config.encoder import RNNEncoder

CPU = torch.device("cpu")
PLAIN, GRU, LSTM = Variant("rnn_tanh"), Variant("gru"), Variant("lstm")
CHRONO = Variant("lstm", chrono=True)
LENGTHS = {"adding": (50, 100, 200), "recall": (25, 50, 100, 200)}
#: settings of the layers whose gradients are compared
WIDTH, STEPS_BACK, GRADIENT_SEEDS = 64, 50, 5


def cell(summary: RunSummary) -> str:
    if summary.step is None:
        return f"✗ {summary.score:.3f}"
    return f"{summary.step:.0f} ({summary.solved}/{summary.seeds})"


def compare(task: str, lengths: Sequence[int], variants: list[Variant], seeds: list[int]) -> dict:
    runs = list(train_all(task, variants, lengths, seeds, TrainingSettings(), CPU))
    found = summarize_runs(runs)
    rows = [[str(variant), *map(cell, summaries)] for variant, summaries in found.items()]
    show(f"{task}: median step at which it is solved (seeds), or mean score", ["", *lengths], rows)
    return found


def gradient_ratio(name: str, seed: int) -> float:
    """The norm of the gradient 50 steps back divided by that at the last step, in an untrained
    layer over random input."""
    torch.manual_seed(seed)
    encoder = RNNEncoder(cell=name, direction="forward", hidden_size=WIDTH, depth=1).module(WIDTH)
    (found,) = gradient_norms(encoder, torch.randn(2 * STEPS_BACK, WIDTH))
    return float(found.norms[STEPS_BACK] / found.norms[0])


def gradients() -> dict[str, float]:
    ratios = {
        name: [gradient_ratio(name, seed) for seed in range(GRADIENT_SEEDS)]
        for name in ("rnn_tanh", "gru", "lstm")
    }
    rows = [[name, *(f"{value:.1e}" for value in values)] for name, values in ratios.items()]
    header = ["cell", *(f"seed {seed}" for seed in range(GRADIENT_SEEDS))]
    show(f"gradient {STEPS_BACK} steps back / gradient at the last step", header, rows)
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    return {
        "gradient_50_rnn_tanh": medians["rnn_tanh"],
        "gradient_50_lstm": medians["lstm"],
        "gradient_ratio_50": medians["lstm"] / medians["rnn_tanh"],
    }


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--plots", type=Path, help="a directory for the plots")
    options = parser.parse_args()
    common.one_thread()
    result: dict = gradients()
    if options.quick:
        found = compare("adding", [50], [PLAIN, GRU, CHRONO], options.seeds[:1])
        solved = {variant: summaries[0].solved == 1 for variant, summaries in found.items()}
        result |= {"gru_solved": solved[GRU], "lstm_chrono_solved": solved[CHRONO]}
        result["rnn_tanh_mse"] = found[PLAIN][0].score
    else:
        for task, lengths in LENGTHS.items():
            found = compare(task, lengths, [PLAIN, GRU, LSTM, CHRONO], options.seeds)
            for variant, summaries in found.items():
                for each in summaries:
                    key = f"{task}_{each.length}_{variant}".replace(", ", "_")
                    result[key] = each.step if each.step else round(each.score, 3)
            if options.plots is not None:
                options.plots.mkdir(parents=True, exist_ok=True)
                plot_memory(options.plots / f"memory-{task}.svg", task, found)
    digits = {k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in result.items()}
    common.finish(digits)


if __name__ == "__main__":
    main()
