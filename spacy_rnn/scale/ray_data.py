"""Annotation of files by Ray Data, on the cores or GPUs of one or many computers."""

import logging
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from tqdm import tqdm

from ..optional import optional_import
from .annotator import Annotator
from .job import BLOCK_SIZE, Counts, Job


class WorkerError(Exception):
    """A worker could not annotate a block. The blocks that are done are kept."""


class Summary(NamedTuple):
    """The counts of all blocks.

    rows, failed, words (int): The number of rows, of those with an error, and of tokens, with the
        blocks of earlier runs.
    speeds (Dict[str, float]): The words per second of each worker of this run, from the start of
        its first block to the end of its last one.
    """

    rows: int
    failed: int
    words: int
    speeds: Dict[str, float]


def annotate(
    source: Path,
    model: str,
    output: Path,
    columns: Optional[Sequence[str]] = None,
    text_column: str = "text",
    workers: Optional[int] = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
    block_size: int = BLOCK_SIZE,
    code: Optional[Path] = None,
) -> Summary:
    """Annotate the rows of files by Ray Data, and write a Parquet file for each block of them. If
    it is interrupted, the same call continues. Ray is started, unless it is in use already.

    source, output, block_size: see `spacy_rnn.scale.job.Job`.
    model, columns, text_column, code: see `spacy_rnn.scale.annotator.Annotator`.
    workers (Optional[int]): The number of processes; None for as many as there is room for.
    cpus (float): The cores that Ray reserves for each.
    gpus (float): The GPUs that Ray reserves for each, such as 0.5 for two on a GPU.
    RETURNS (Summary): The counts of all blocks.
    RAISES (ImportError): If Ray Data is not installed.
    RAISES (ValueError): If the input, the output, the model or the columns are wrong.
    RAISES (WorkerError): If a block cannot be annotated.
    """
    with optional_import("ray", "Annotating with Ray Data"):
        import ray
        import ray.data

    # What users should know of is told without Ray's stack.
    logging.getLogger("ray.data").setLevel("CRITICAL")
    job = Job(source, output, Annotator(model, columns, text_column, code, gpus > 0), block_size)
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    if workers is None:
        there, needed = ray.cluster_resources(), {"CPU": cpus, "GPU": gpus}
        fits = (int(there.get(key, 0) // n) for key, n in needed.items() if n)
        workers = max(1, min(fits, default=1))
    counts = {each.block: each for each in job.done()}
    with tqdm(total=len(job.blocks), initial=len(counts), unit=" blocks", disable=None) as bar:
        if missing := job.missing():
            for each in _run(job, missing, workers, cpus, gpus):
                counts[each.block] = each
                bar.update()
                bar.set_postfix(failed=sum(each.failed for each in counts.values()))
    job.clean()
    return _summary(list(counts.values()))


class _Worker:
    """Annotates blocks, in a process of Ray."""

    def __init__(self, job: Job):
        self._job = job

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, List[Any]]:
        (number,) = batch["block"]
        try:
            counts = self._job.annotate(int(number))
        except Exception as error:  # Ray would show its own stack.
            counts = Counts(int(number), problem=str(error) or type(error).__name__)
        return {name: [value] for name, value in counts._asdict().items()}


def _run(job: Job, blocks: List[int], workers: int, cpus: float, gpus: float) -> Iterator[Counts]:
    """Annotate blocks. Ray replaces a worker that dies, and annotates its blocks again.

    RAISES (WorkerError): If a block cannot be annotated.
    """
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    # The progress of blocks is shown instead.
    context.enable_progress_bars = False
    items: List[Dict[str, Any]] = [{"block": block} for block in blocks]
    found = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Worker,
        fn_constructor_args=(job,),
        batch_size=1,
        num_cpus=cpus,
        num_gpus=gpus,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(items))),
    )
    for row in found.iter_rows():
        counts = Counts(**row)
        if counts.problem is not None:
            block = job.blocks[counts.block]
            raise WorkerError(
                f"{counts.problem} This happened to {block.source.path}, from {block.start} to "
                f"{block.stop}. What is done is kept: run the same again to continue."
            )
        yield counts


def _summary(counts: List[Counts]) -> Summary:
    by_worker: Dict[str, List[Counts]] = {}
    for each in counts:
        by_worker.setdefault(each.worker, []).append(each)
    by_worker.pop("", None)
    speeds = {
        worker: sum(each.words for each in done)
        / (max(each.ended for each in done) - min(each.started for each in done))
        for worker, done in by_worker.items()
    }
    totals = (sum(getattr(each, name) for each in counts) for name in ("rows", "failed", "words"))
    rows, failed, words = totals
    return Summary(rows, failed, words, speeds)
