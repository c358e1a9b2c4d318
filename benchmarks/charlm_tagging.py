"""How much a character language model improves a tagger: XPOS accuracy on UD English EWT with
configs/tagger.cfg and with configs/tagger_context.cfg, which differ in nothing else, over several
seeds. Each model is selected on dev and scored once on test, with gold tokens.

    python benchmarks/charlm_tagging.py [--quick] [--steps N] [--seeds N ...] [--work DIR]

The language model is configs/lm_characters.cfg, trained on the paragraphs of WikiText-2. Neither
side has pretrained vectors. Models that are already in --work are not trained again. `gain` is the
mean over the seeds, in percentage points.
"""

import statistics
from pathlib import Path

import common
from common import show
from spacy_train import mind_interrupts, python, train_once, workplace
from tagger_accuracy import Workplace

CONFIGS = {"without": "tagger.cfg", "with": "tagger_context.cfg"}
#: sizes of a run that only shows that everything works
QUICK_SENTENCES, QUICK_STEPS = 200, 20


def language_model(directory: Path, quick: bool) -> Path:
    """A pipeline with the language model, trained in the directory unless it is already there."""
    parts = {}
    for split in ("train", "valid"):
        parts[split] = directory / f"paragraphs-{split}.spacy"
        if not parts[split].exists():
            # The part "valid" is a tenth of the size of "train".
            source = common.DATA / "lm-wikitext2" / f"{'valid' if quick else split}.txt.xz"
            python(common.REPO / "corpora" / "plain.py", "paragraphs", source, parts[split])
    settings = {"paths.train": str(parts["train"]), "paths.dev": str(parts["valid"])}
    if quick:
        settings |= steps(QUICK_STEPS) | {"components.lm.model.encoder.hidden_size": "32"}
    config = common.REPO / "configs" / "lm_characters.cfg"
    return train_once(config, directory / "lm", settings)[0]


def steps(n: int) -> dict[str, str]:
    """The settings to train for n steps."""
    return {
        "training.max_steps": str(n),
        "training.patience": "0",
        "training.eval_frequency": str(max(1, n // 5)),
        "training.optimizer.learn_rate.total_steps": str(n),
    }


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="steps of each tagger's training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, help="directory to keep; by default a temporary one")
    options = parser.parse_args()
    common.one_thread()
    mind_interrupts()
    seeds, n = (options.seeds[:1], QUICK_STEPS) if options.quick else (options.seeds, options.steps)
    with workplace(options.work) as directory:
        work = Workplace(directory, QUICK_SENTENCES if options.quick else None)
        lm = language_model(directory, options.quick)
        accuracies: dict[str, list[float]] = {side: [] for side in CONFIGS}
        for seed in seeds:
            for side, config in CONFIGS.items():
                settings = steps(n) | {
                    "components.tagger.targets": '["tag"]',
                    "system.seed": str(seed),
                    "paths.train": str(work.part("en", "train")),
                    "paths.dev": str(work.part("en", "dev")),
                }
                if side == "with":
                    settings["paths.lm"] = str(lm)
                target = directory / f"{side}-{seed}-{n}"
                model, _ = train_once(common.REPO / "configs" / config, target, settings)
                accuracies[side].append(100 * work.scores(model, "en", "test")["tag_acc"])
    rows = [[side, *(f"{a:.2f}" for a in found)] for side, found in accuracies.items()]
    show(f"XPOS on test after {n} steps", ["", *(f"seed {seed}" for seed in seeds)], rows)
    means = {side: statistics.mean(found) for side, found in accuracies.items()}
    result = {f"xpos_{side}": mean for side, mean in means.items()}
    result["gain"] = means["with"] - means["without"]
    common.finish({key: round(value, 2) for key, value in result.items()})


if __name__ == "__main__":
    main()
