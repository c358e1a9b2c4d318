"""spaCy's training loop with checkpoints.

The steps, evaluations, logs and models are those of `spacy.training.loop.train`. In addition, a
checkpoint is written from time to time, from which a training continues as if it had not stopped,
models are replaced as a whole, and several processes can train together.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import shutil
import sys
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from signal import SIGINT
from timeit import default_timer as timer
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Tuple

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    clean_output_dir,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    subdivide_batch,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import Optimizer, constant, fix_random_seed, set_gpu_allocator
from wasabi import Printer

from ..atomic import replace_folder
from ..runtime import distributed
from .checkpoint import (
    EXCLUDED,
    FOLDER,
    Progress,
    corpora_checksums,
    get_process_state,
    load_checkpoint,
    save_checkpoint,
)
from .interrupts import Interrupts
from .random_state import with_own_randomness
from .sharing import (
    Batch,
    batches_of_steps,
    check_same,
    check_trainable,
    seed_dropout,
    seed_step,
    shares,
    total_losses,
)

#: while the loggers of a resumed training are set up, how far it had come before
past_progress: ContextVar[Optional[Progress]] = ContextVar("past_progress", default=None)

Info = Dict[str, Any]


class Training:
    """A training of a pipeline by its config.

    nlp (Language): The initialized pipeline with the full config.
    use_gpu (int): The GPU; -1 for the CPU.
    """

    def __init__(self, nlp: Language, use_gpu: int = -1):
        self.nlp = nlp
        config = nlp.config.interpolate()
        together = distributed.group().size > 1
        self.seed = config["training"]["seed"]
        if self.seed is None and together:
            self.seed = distributed.broadcast(secrets.randbits(32))
        if self.seed is not None:
            fix_random_seed(self.seed)
        if use_gpu >= 0 and config["training"]["gpu_allocator"]:
            set_gpu_allocator(config["training"]["gpu_allocator"])
        self.settings: Dict[str, Any] = registry.resolve(
            config["training"], schema=ConfigSchemaTraining
        )
        names = [self.settings["train_corpus"], self.settings["dev_corpus"]]
        corpus, dev_corpus = resolve_dot_names(config, names)
        self.optimizer: Optimizer = self.settings["optimizer"]
        dropout = self.settings["dropout"]
        self.dropouts = iter(constant(dropout) if isinstance(dropout, float) else dropout)
        self.batches = self._batches(corpus)
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, self.settings["score_weights"])
        self.progress = Progress(corpora=corpora_checksums(config))
        if together:
            self._unite()

    def _unite(self) -> None:
        """Let all processes begin with the same pipeline."""
        check_trainable(self.nlp, self.settings["frozen_components"])
        check_same(
            "configs", self.nlp.config.to_str(), "Start all of them with the same config and data."
        )
        is_first = distributed.group().rank == 0
        data = distributed.broadcast(self.nlp.to_bytes(exclude=EXCLUDED) if is_first else b"")
        if not is_first:
            self.nlp.from_bytes(data, exclude=EXCLUDED)

    def _batches(self, corpus: Callable) -> Iterator[Tuple[int, List[Batch]]]:
        """The batches of each step with their epochs. They depend on the seed and their number
        only, not on the training in between, so that they can be read again."""
        batcher, max_epochs = self.settings["batcher"], self.settings["max_epochs"]
        batches = create_train_batches(self.nlp, corpus, batcher, max_epochs)
        return with_own_randomness(batches_of_steps(batches))

    def resume(self, output: Path) -> bool:
        """Continue from a checkpoint.

        output (Path): The output folder of the training.
        RETURNS (bool): False if there is none.
        """
        progress = load_checkpoint(output, self.nlp, self.optimizer, self.progress.corpora)
        check_same(
            "checkpoints",
            progress and progress.step,
            "On several machines, the output folder must be one that they share.",
        )
        if progress is None:
            return False
        self.progress = progress
        for _ in range(progress.step):
            next(self.batches)
            next(self.dropouts)
            self.optimizer.step_schedules()
        return True

    @property
    def is_over(self) -> bool:
        """True if the limits of the config do not allow another step."""
        done, results = self.progress.step, self.progress.results
        if not done:
            return False
        last = done - 1
        # The first of equally good evaluations.
        _, negative_step = max((score, -step) for score, step in results)
        patience, max_steps = self.settings["patience"], self.settings["max_steps"]
        return bool(
            (patience and last + negative_step >= patience) or (max_steps and last >= max_steps)
        )

    def steps(self) -> Iterator[Tuple[Info, Optional[bool]]]:
        """Train step by step.

        YIELDS (Tuple[Info, Optional[bool]]): What spaCy tells its loggers of the step, and whether
            its evaluation is the best so far; None for a step without an evaluation.
        """
        began = timer() - self.progress.seconds
        while not self.is_over:
            found = next(self.batches, None)
            if found is None:
                return
            epoch, batches = found
            self._step(epoch, batches)
            progress = self.progress
            progress.words += sum(len(eg) for batch in batches for eg in batch)
            step, score, other_scores, is_best = progress.step, None, None, None
            if not step % self.settings["eval_frequency"]:
                score, other_scores = self._evaluate()
                progress.results.append((score, step))
                is_best = score == max(progress.results)[0]
            progress.step += 1
            progress.seconds = timer() - began
            info = {
                "epoch": epoch,
                "step": step,
                "score": score,
                "other_scores": other_scores,
                "losses": progress.losses,
                "checkpoints": progress.results,
                "seconds": int(progress.seconds),
                "words": progress.words,
            }
            if is_best is not None:
                progress.losses = {}
            yield info, is_best

    def _evaluate(self) -> Tuple[float, Dict[str, float]]:
        """Evaluate in the first process, while the others wait, and add up the losses of all."""
        check_same(
            "training data",
            self.progress.words,
            "Their readers must give the same texts in the same order: set their seeds.",
        )
        self.progress.losses = total_losses(self.progress.losses)
        found: Tuple[float, Dict[str, float]] = (0.0, {})
        if distributed.group().rank == 0:
            with self.nlp.use_params(self.optimizer.averages or {}):
                found = self.evaluate()
        return distributed.broadcast(found)

    def _step(self, epoch: int, batches: List[Batch]) -> None:
        settings, nlp, step = self.settings, self.nlp, self.progress.step
        frozen = settings["frozen_components"]
        seed_step(self.seed, step)
        if settings["before_update"]:
            settings["before_update"](nlp, {"step": step, "epoch": epoch})
        seed_dropout(self.seed, step)
        dropout = next(self.dropouts)
        for examples, excluded in shares(nlp, batches):
            for part in subdivide_batch(examples, settings["accumulate_gradient"]):
                nlp.update(
                    part,
                    drop=dropout,
                    losses=self.progress.losses,
                    sgd=False,  # type: ignore[arg-type]
                    exclude=[*frozen, *excluded],
                    annotates=settings["annotating_components"],
                )
        for name, pipe in nlp.pipeline:
            if (
                name not in frozen
                and getattr(pipe, "is_trainable", False)
                and pipe.model not in (True, False, None)  # type: ignore[attr-defined]
            ):
                pipe.finish_update(self.optimizer)  # type: ignore[attr-defined]
        self.optimizer.step_schedules()


class Output:
    """The output folder of a training: the last and the best model, and the checkpoint.

    path (Path): The folder.
    training (Training): The training.
    """

    def __init__(self, path: Path, training: Training):
        self.path = path
        self.training = training
        self.before_to_disk = create_before_to_disk_callback(training.settings["before_to_disk"])

    def clean(self) -> None:
        """Remove what an earlier training left."""
        clean_output_dir(self.path)
        shutil.rmtree(self.path / FOLDER, ignore_errors=True)

    def save_model(self, is_best: bool) -> None:
        """Write the last model, and if it is the best one, a copy of it."""
        nlp, averages = self.training.nlp, self.training.optimizer.averages or {}
        last = self.path / DIR_MODEL_LAST
        with self._writing(), nlp.use_params(averages), replace_folder(last) as folder:
            self.before_to_disk(nlp).to_disk(folder)
        if is_best:
            with self._writing(), replace_folder(self.path / DIR_MODEL_BEST) as folder:
                shutil.copytree(last, folder, dirs_exist_ok=True)

    def save_checkpoint(self, processes: List[Dict[str, Any]]) -> None:
        """Write a checkpoint with the states of all processes."""
        training = self.training
        with self._writing():
            save_checkpoint(self.path, training.nlp, training.optimizer, processes)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"Can't write to '{self.path}': {error}. The models and the checkpoint in it are "
                f"the last ones that were complete. Fix the cause, such as a full disk, and "
                f"continue with the same command and --resume."
            ) from error


def train(
    nlp: Language,
    output_path: Optional[Path] = None,
    *,
    checkpoint_every: Optional[int] = None,
    resume: bool = False,
    use_gpu: int = -1,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
) -> bool:
    """Train a pipeline. Where several processes train together, each of them calls it; the first
    one evaluates, logs and saves.

    nlp (Language): The initialized pipeline with the full config.
    output_path (Optional[Path]): Where models and checkpoints are saved; None for nowhere.
    checkpoint_every (Optional[int]): Steps from one checkpoint to the next; by default those from
        one evaluation to the next.
    resume (bool): Continue from the checkpoint in the output folder, if there is one.
    use_gpu (int): The GPU; -1 for the CPU.
    stdout, stderr (IO): Where to write messages.
    RETURNS (bool): False if SIGTERM has ended it before its end.
    RAISES (KeyboardInterrupt): After Ctrl-C, once a checkpoint is written. SIGTERM ends the
        training in the same way, without an error.
    """
    msg = Printer(no_print=True)
    training = Training(nlp, use_gpu)
    settings = training.settings
    every = checkpoint_every or settings["eval_frequency"]
    is_first = distributed.group().rank == 0
    if not is_first:
        stdout = stderr = io.StringIO()
    output = Output(output_path, training) if output_path is not None and is_first else None
    resumed = resume and output_path is not None and training.resume(output_path)
    if output is not None and not resumed:
        output.clean()
    stdout.write(msg.info(f"Pipeline: {nlp.pipe_names}") + "\n")
    for title, names in (
        ("Frozen components", settings["frozen_components"]),
        ("Set annotations on update for", settings["annotating_components"]),
    ):
        if names:
            stdout.write(msg.info(f"{title}: {names}") + "\n")
    if resumed:
        done = training.progress.step
        stdout.write(msg.info(f"Resumed from the checkpoint after {done} steps") + "\n")
        if training.is_over:
            reached = "The training had reached its end. To train longer, raise training.max_steps"
            stdout.write(msg.info(reached) + "\n")
    stdout.write(msg.info(f"Initial learn rate: {training.optimizer.learn_rate}") + "\n")
    token = past_progress.set(replace(training.progress) if resumed else None)
    try:
        with nlp.select_pipes(disable=settings["frozen_components"]):
            set_up_logger = settings["logger"] if is_first else _no_logger
            log_step, finalize_logger = set_up_logger(nlp, stdout, stderr)
    finally:
        past_progress.reset(token)
    with Interrupts() as interrupts:
        try:
            for info, is_best in training.steps():
                if is_best is not None:
                    with nlp.select_pipes(disable=settings["frozen_components"]):
                        update_meta(settings, nlp, info)
                    if output is not None:
                        output.save_model(is_best)
                        info["output_path"] = str(output.path / DIR_MODEL_LAST)
                log_step(info if is_best is not None else None)
                # A signal does not come to all processes in the same step.
                interrupts.received = distributed.maximum(interrupts.received or 0) or None
                ends = interrupts.received is not None or training.is_over
                if output_path is not None and (ends or training.progress.step % every == 0):
                    states = distributed.gather(get_process_state(nlp, training.progress))
                    if output is not None:
                        output.save_checkpoint(states)
                if ends:
                    break
        except Exception as error:
            if output is not None:
                warning = f"Aborting and saving the last model. Encountered exception: {error!r}"
                stdout.write(msg.warn(warning) + "\n")
            raise
        finally:
            finalize_logger()
            if output is not None:
                output.save_model(False)
    if interrupts.received is not None and output is not None:
        stdout.write(msg.warn("Interrupted. Continue with the same command and --resume") + "\n")
    if interrupts.received == SIGINT:
        raise KeyboardInterrupt
    if output is not None:
        stdout.write(
            msg.good("Saved pipeline to output directory", output.path / DIR_MODEL_LAST) + "\n"
        )
    return interrupts.received is None


def _no_logger(
    nlp: Language, stdout: IO, stderr: IO
) -> Tuple[Callable[[Optional[Info]], None], Callable[[], None]]:
    return lambda info: None, lambda: None
