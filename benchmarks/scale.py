"""Annotation at scale: Ray Data and Spark against plain processes.

    python benchmarks/scale.py [--quick] [--only ray equal failures spark memory cost]

* `ray`: `ray_efficiency`, the words/s of two workers of Ray divided by those of two plain processes
  that each write JSON lines (`spacy rnn apply`) for half of the same rows. The sides take turns.
  Loading is not counted.
* `equal`: `ray_equal`, whether Ray's rows are the same as those of one process, and `ray_max_diff`,
  the largest difference of a number.
* `failures`: `rows_lost` and `rows_doubled` after the driver is killed (SIGKILL), the job is
  started again, and a node is killed.
* `spark`: `spark_equal` and `spark_max_diff`, the same for `mapInPandas`; needs Java.
* `memory`: `worker_memory_growth`, the peak memory of a process after the first tenth of 5 million
  words that it has never seen, divided by the peak in that tenth.
* `cost`: the input of `scale_simulation.py`: `words_per_cpu_second` of a worker, the shares of its
  time for `reading`, `tokenizing`, `predicting` and `writing`, and the bytes of input and output
  per word.

Needs pip install ".[ray,spark]".
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import common
import spacy
from common import output_of, resident_bytes
from spacy.tokens import Doc

from spacy_rnn.cli.annotate import annotate as annotate_docs
from spacy_rnn.cli.annotate import write_to_file
from spacy_rnn.cli.data_options import TextOptions
from spacy_rnn.cli.texts import read_texts
from spacy_rnn.scale import Annotator, annotate, spark_annotator
from spacy_rnn.scale.job import Job

ROWS, QUICK_ROWS = 20_000, 600
#: number of rows for measuring speed
SPEED_ROWS = 60_000
ROUNDS, QUICK_ROUNDS = 3, 1
TOKENS, QUICK_TOKENS = 5_000_000, 50_000
WORKERS = 2
#: number of blocks for each worker when speed is measured, and of all blocks otherwise
BLOCKS, SMALL_BLOCKS = 8, 20
#: the largest difference of numbers that counts as rounding
TOLERANCE = 1e-5
WORDS_IN_TEXT, SAMPLES = 10, 100


def save_model(path: Path) -> None:
    """Save an English pipeline with a tagger and an entity recognizer of the default sizes and with
    random weights."""
    spacy.util.fix_random_seed(0)
    nlp = common.pipeline(common.treebank("train", spacy.blank("en").vocab, 500), "rnn_tagger")
    nlp.add_pipe("rnn_ner", source=common.pipeline(common.wnut17("train", 500), "rnn_ner"))
    nlp.to_disk(path)


def write_rows(path: Path, n: int) -> Path:
    """Write JSON lines with the sentences of a treebank."""
    texts = [doc.text for doc in common.treebank("train", spacy.blank("en").vocab)]
    rows = ({"id": i, "text": text} for i, text in enumerate(islice(cycle(texts), n)))
    with path.open("w", encoding="utf8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def rows_of(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.dataset

    files = sorted(map(str, folder.glob("part-*.parquet")))
    found = pyarrow.dataset.dataset(files).to_table().to_pylist()
    return sorted(found, key=lambda row: row["id"])


def expected_of(model: Path, source: Path) -> list[dict[str, Any]]:
    """The rows as one process of `spacy rnn apply` writes them."""
    nlp = spacy.load(model)
    output = source.with_suffix(".expected.jsonl")
    write_to_file(
        nlp, annotate_docs(nlp, read_texts(source, TextOptions()), nlp.batch_size), output
    )
    lines = output.read_text("utf8").split("\n")[:-1]
    return [{"id": i, **json.loads(line), "error": None} for i, line in enumerate(lines)]


def difference(found: Any, expected: Any) -> float:
    """The largest difference of numbers; infinite if anything else differs."""
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected)
    if isinstance(expected, dict) and isinstance(found, dict) and [*found] == [*expected]:
        return max((difference(found[name], expected[name]) for name in found), default=0.0)
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return max(map(difference, found, expected), default=0.0)
    return 0.0 if found == expected else float("inf")


def quiet_ray(**settings: Any) -> None:
    import ray

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **settings)


# Speed


def plain(model: str, source: str) -> None:
    """Annotate in one process like `spacy rnn apply`, as soon as standard input has a line."""
    nlp = spacy.load(model)
    nlp("warm up")
    print(flush=True)
    sys.stdin.readline()
    n_words, start = 0, time.time()

    def docs() -> Iterator[Doc]:
        nonlocal n_words
        for doc in annotate_docs(nlp, read_texts(Path(source), TextOptions()), nlp.batch_size):
            n_words += len(doc)
            yield doc

    write_to_file(nlp, docs(), Path(source).with_suffix(".out.jsonl"))
    print(json.dumps(n_words / (time.time() - start)))


def plain_speed(model: Path, parts: Sequence[Path]) -> float:
    """The sum of the words/s of plain processes that run at the same time."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes: list[Any] = [
        subprocess.Popen(
            [sys.executable, __file__, "--plain", model, part], env=common.one_thread(), **pipes
        )
        for part in parts
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return sum(json.loads(process.communicate()[0]) for process in processes)


def ray_speed(model: Path, source: Path, output: Path) -> float:
    """The sum of the words/s of Ray's workers."""
    size = source.stat().st_size // (WORKERS * BLOCKS) + 1
    found = annotate(source, str(model), output, workers=WORKERS, block_size=size)
    return sum(found.speeds.values())


def measure_ray(folder: Path, quick: bool) -> dict[str, Any]:
    import ray

    model, n_rows = folder / "model", QUICK_ROWS if quick else SPEED_ROWS
    source = write_rows(folder / "many.jsonl", n_rows)
    lines = source.read_text("utf8").splitlines(keepends=True)
    parts = [folder / f"part{i}.jsonl" for i in range(WORKERS)]
    for i, part in enumerate(parts):
        part.write_text("".join(lines[i::WORKERS]), "utf8")
    quiet_ray(num_cpus=WORKERS)
    speeds: dict[str, list[float]] = {"ray": [], "plain": []}
    for i in range(QUICK_ROUNDS if quick else ROUNDS):
        speeds["plain"].append(plain_speed(model, parts))
        speeds["ray"].append(ray_speed(model, source, folder / f"speed{i}"))
    ray.shutdown()
    common.show_speeds(f"Two processes, {n_rows:,} rows", speeds, "ray")
    return {"ray_efficiency": common.ratio(speeds["ray"], speeds["plain"])}


# Equal rows


def compared(name: str, found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> dict:
    worst = difference(found, expected)
    return {f"{name}_equal": worst <= TOLERANCE, f"{name}_max_diff": float(f"{worst:.2g}")}


def measure_equal(folder: Path, quick: bool) -> dict[str, Any]:
    import ray

    model, source = folder / "model", write_rows(folder / "in.jsonl", QUICK_ROWS if quick else ROWS)
    size = source.stat().st_size // SMALL_BLOCKS
    quiet_ray(num_cpus=WORKERS)
    annotate(source, str(model), folder / "equal", workers=WORKERS, block_size=size)
    ray.shutdown()
    return compared("ray", rows_of(folder / "equal"), expected_of(model, source))


def measure_spark(folder: Path, quick: bool) -> dict[str, Any]:
    from pyspark.sql import SparkSession

    model, source = folder / "model", write_rows(folder / "in.jsonl", QUICK_ROWS if quick else ROWS)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{WORKERS}]").config("spark.ui.enabled", "false")
    spark = builder.getOrCreate()
    rows = map(json.loads, source.read_text("utf8").splitlines())
    frame = spark.createDataFrame(
        [(row["id"], row["text"]) for row in rows], "id long, text string"
    )
    annotator = spark_annotator(str(model))
    made = frame.mapInPandas(annotator, annotator.schema(frame.schema)).orderBy("id").collect()
    found = [row.asDict(recursive=True) for row in made]
    spark.stop()
    return compared("spark", found, expected_of(model, source))


# Failures


def measure_failures(folder: Path, quick: bool) -> dict[str, Any]:
    """Run a job whose driver is killed after a third of its blocks, and a node after two thirds."""
    import ray
    from ray.cluster_utils import Cluster

    n_rows = QUICK_ROWS if quick else ROWS
    model, source = folder / "model", write_rows(folder / "in.jsonl", n_rows)
    output = folder / "failures"
    size = source.stat().st_size // SMALL_BLOCKS
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)

    def wait_for(n_done: int) -> None:
        while len([*output.glob("part-*")]) < n_done:
            time.sleep(0.05)

    def kill_node() -> None:
        wait_for(SMALL_BLOCKS * 2 // 3)
        cluster.remove_node(node, allow_graceful=False)

    driver = subprocess.Popen(
        [*map(str, (sys.executable, __file__, "--driver", model, source, output, size))],
        env={**common.one_thread(), "RAY_ADDRESS": cluster.address},
    )
    wait_for(SMALL_BLOCKS // 3)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    killer = threading.Thread(target=kill_node)
    killer.start()
    quiet_ray(address=cluster.address)
    annotate(source, str(model), output, workers=WORKERS, block_size=size)
    killer.join()
    ray.shutdown()
    cluster.shutdown()
    counts = Counter(row["id"] for row in rows_of(output))
    return {
        "rows_lost": n_rows - len(counts),
        "rows_doubled": sum(n - 1 for n in counts.values()),
    }


# Memory


def new_words(n_tokens: int, path: Path) -> Path:
    """Write lines of random words of 8 letters, almost all of which occur only once."""
    rng = random.Random(0)
    with path.open("w") as file:
        for _ in range(n_tokens // WORDS_IN_TEXT):
            words = ("".join(rng.choices(ascii_lowercase, k=8)) for _ in range(WORDS_IN_TEXT))
            file.write(" ".join(words) + "\n")
    return path


def memory(model: str, source: str) -> None:
    """Annotate a file in one process; prints the growth of its memory."""
    size = Path(source).stat().st_size // SAMPLES
    job = Job(Path(source), Path(source).with_suffix(""), Annotator(model), size)
    found = []
    for number in job.missing():
        job.annotate(number)
        found.append(resident_bytes())
    tenth = max(1, len(found) // 10)
    print(f"{found[0] / 1e6:.0f} MB after the first of {len(found)} blocks")
    print(json.dumps(round(max(found[tenth:]) / max(found[:tenth]), 3)))


def measure_memory(folder: Path, quick: bool) -> dict[str, Any]:
    source = new_words(QUICK_TOKENS if quick else TOKENS, folder / "words.txt")
    growth = output_of([__file__, "--memory", folder / "model", source])
    return {"worker_memory_growth": growth}


# Cost


def cpu_seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure_cost(folder: Path, quick: bool) -> dict[str, Any]:
    model, source = folder / "model", write_rows(folder / "in.jsonl", QUICK_ROWS if quick else ROWS)
    annotator = Annotator(str(model))
    job = Job(source, folder / "cost", annotator, source.stat().st_size)
    (block,) = job.blocks
    tables = [rows.table for rows in block.source.read(block.start, block.stop, job.schema)]
    texts = [text for table in tables for text in table["text"].to_pylist()]
    nlp = spacy.load(model)
    annotator.annotate(texts[:100])
    counts = []
    total = cpu_seconds(lambda: counts.append(job.annotate(0)))
    reading = cpu_seconds(lambda: [*block.source.read(block.start, block.stop, job.schema)])
    tokenizing = cpu_seconds(lambda: [*nlp.tokenizer.pipe(texts)])
    annotating = cpu_seconds(lambda: [annotator.annotate(t["text"].to_pylist()) for t in tables])
    n_words = counts[0].words
    (output,) = (folder / "cost").glob("part-*")
    shares = {
        "reading": reading,
        "tokenizing": tokenizing,
        "predicting": annotating - tokenizing,
        "writing": total - annotating - reading,
    }
    return {
        "words_per_cpu_second": round(n_words / total),
        **{name: round(seconds / total, 3) for name, seconds in shares.items()},
        "bytes_in": round(source.stat().st_size / n_words, 1),
        "bytes_out": round(output.stat().st_size / n_words, 1),
    }


SECTIONS = {
    "ray": measure_ray,
    "equal": measure_equal,
    "failures": measure_failures,
    "spark": measure_spark,
    "memory": measure_memory,
    "cost": measure_cost,
}


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    own = "only this part, in a separate process"
    parser.add_argument("--plain", nargs=2, metavar=("MODEL", "SOURCE"), help=own)
    parser.add_argument("--memory", nargs=2, metavar=("MODEL", "SOURCE"), help=own)
    parser.add_argument(
        "--driver", nargs=4, metavar=("MODEL", "SOURCE", "OUTPUT", "SIZE"), help=own
    )
    options = parser.parse_args()
    common.one_thread()
    if options.plain:
        plain(*options.plain)
    elif options.memory:
        memory(*options.memory)
    elif options.driver:
        model, source, output, size = options.driver
        quiet_ray()
        annotate(Path(source), model, Path(output), workers=WORKERS, block_size=int(size))
    else:
        result: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as name:
            save_model(Path(name) / "model")
            for section in options.only:
                result |= SECTIONS[section](Path(name), options.quick)
        common.show("Annotation at scale", ["figure", "value"], [*map(list, result.items())])
        common.finish(result)


if __name__ == "__main__":
    main()
