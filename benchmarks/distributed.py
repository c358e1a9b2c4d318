"""Training by two processes that torchrun starts.

* ddp_max_diff: the largest difference between the resulting weights and those of one process with
  batches twice as large, after a tiny training of each component without dropout;
* ddp_efficiency: the words/s of two processes divided by those of two independent trainings at the
  same time, for configs/tagger.cfg; the median over rounds in which the sides take turns.

    python benchmarks/distributed.py [--quick]
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import spacy
from resume import COMPONENTS, config_of, corpus
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from thinc.api import Config

from spacy_rnn.runtime.distributed import group, process_group
from spacy_rnn.training.loop import Training, train

ROOT = Path(__file__).parents[1]
PROCESSES = 2
STEPS = 10
#: number of sentences, of timed steps after the warm-up, and of rounds
SIZE, QUICK_SIZE = (4000, 60, 5), (500, 15, 1)
WARM_UP = 5
BATCH = 6


def exact_config(component: str, data: Path, processes: int) -> Config:
    """The config of a training whose steps have the same examples with one or two processes."""
    config = config_of(component, data)
    batcher = {"@batchers": "spacy.batch_by_sequence.v1", "size": 2 * BATCH // processes}
    config["training"].update(
        {"dropout": 0.0, "max_steps": STEPS, "eval_frequency": STEPS, "batcher": batcher}
    )
    # Adam takes steps of this size even if gradients are only rounding errors.
    config["training"]["optimizer"]["learn_rate"] = 0.001
    settings = config["components"][component]
    if "embedding" in settings["model"]:
        settings["model"]["embedding"]["words"]["unknown_dropout"] = 0.0
    if component == "lm":
        settings.update({"random_bptt_length": False, "streams": 2 * 4 // processes})
    if component == "translator":
        for side in ("source_pieces", "target_pieces"):
            settings["model"][side]["alpha"] = None
    return config


def tagger_config(folder: Path, n_sentences: int) -> Config:
    vocab = spacy.blank("en").vocab
    for name, split, limit in (("train", "train", n_sentences), ("dev", "dev", 10)):
        DocBin(docs=common.treebank(split, vocab, limit)).to_disk(folder / f"{name}.spacy")
    paths = {f"paths.{name}": str(folder / f"{name}.spacy") for name in ("train", "dev")}
    settings = {"training.eval_frequency": 10**6, "training.max_steps": 10**6}
    return load_config(ROOT / "configs" / "tagger.cfg", overrides={**paths, **settings})


def train_all(folder: Path) -> None:
    for path in sorted(folder.glob("*.cfg")):
        nlp = init_nlp(Config().from_disk(path))
        train(nlp, path.with_suffix(""), stdout=io.StringIO())


def speed(path: Path, steps: int) -> float:
    """The words/s of all processes that train together."""
    training = Training(init_nlp(Config().from_disk(path)))
    taken = training.steps()
    for _ in range(WARM_UP):
        next(taken)
    words, start = training.progress.words, time.perf_counter()
    for _ in range(steps):
        next(taken)
    return (training.progress.words - words) / (time.perf_counter() - start)


def command(*arguments: Any, processes: int = 1) -> list[str]:
    """The command that runs a part of this script in separate processes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    started = [sys.executable, *(torchrun if processes > 1 else [])]
    return [*started, __file__, *map(str, arguments)]


def outputs(*commands: list[str]) -> list[str]:
    """Run commands at the same time; returns the last line of each output."""
    environment = common.one_thread()
    running = [
        subprocess.Popen(one, env=environment, stdout=subprocess.PIPE, text=True)
        for one in commands
    ]
    found = [one.communicate()[0] for one in running]
    if any(one.returncode for one in running):
        raise RuntimeError("a training failed")
    return [text.splitlines()[-1] if text else "" for text in found]


def weights(model: Path) -> dict[str, Any]:
    nlp: Language = spacy.load(model)
    (pipe,) = (pipe for _, pipe in nlp.pipeline)
    return pipe.shim.module.state_dict()  # type: ignore[attr-defined]


def differences(work: Path) -> dict[str, float]:
    """The largest difference of a weight, by component."""
    data = work / "data.spacy"
    corpus(data)
    for folder, processes in (("alone", 1), ("together", PROCESSES)):
        (work / folder).mkdir()
        for component in COMPONENTS:
            config = exact_config(component, data, processes)
            config.to_disk(work / folder / f"{component}.cfg")
        outputs(command("--train", work / folder, processes=processes))
    found = {}
    for component in COMPONENTS:
        together, alone = (
            weights(work / folder / component / "model-last") for folder in ("together", "alone")
        )
        found[component] = max(
            float((together[name] - alone[name]).abs().max()) for name in alone if len(alone[name])
        )
    return found


def efficiency(work: Path, n_sentences: int, steps: int, rounds: int) -> float:
    path = work / "tagger.cfg"
    tagger_config(work, n_sentences).to_disk(path)
    arguments = ["--speed", path, "--steps", steps]
    together, apart = [], []
    for _ in range(rounds):
        (found,) = outputs(command(*arguments, processes=PROCESSES))
        together.append(json.loads(found))
        alone = outputs(*[command(*arguments)] * PROCESSES)
        apart.append(sum(map(json.loads, alone)))
    speeds = {"two processes together": together, "two independent processes": apart}
    common.show_speeds("configs/tagger.cfg", speeds, "two processes together")
    return common.ratio(together, apart)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--train", type=Path, help="only train with the configs of a folder")
    parser.add_argument("--speed", type=Path, help="only measure the speed of a config")
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    common.one_thread()
    if options.train or options.speed:
        with process_group():
            if options.train:
                train_all(options.train)
            else:
                found = speed(options.speed, options.steps)
                if group().rank == 0:
                    print(json.dumps(found), flush=True)
        return
    with tempfile.TemporaryDirectory() as work:
        found = differences(Path(work))
        rows = [[name, f"{difference:.1e}"] for name, difference in found.items()]
        common.show("Largest difference of a weight", ["", "difference"], rows)
        ratio = efficiency(Path(work), *(QUICK_SIZE if options.quick else SIZE))
    common.finish({"ddp_max_diff": max(found.values()), "ddp_efficiency": ratio})


if __name__ == "__main__":
    main()
