"""spaCy's training loop with checkpoints.

The steps, evaluations, logs and models are those of `spacy.training.loop.train`. In addition, a
checkpoint is written from time to time, from which a training goes on as if it had not stopped, and
models are replaced as a whole.
"""

from __future__ import annotations

import contextlib
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
from spacy.training import Example
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
from .checkpoint import FOLDER, Progress, corpora_checksums, load_checkpoint, save_checkpoint
from .interrupts import Interrupts
from .random_state import OwnRandomness

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
        if config["training"]["seed"] is not None:
            fix_random_seed(config["training"]["seed"])
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

    def _batches(self, corpus: Callable) -> Iterator[Tuple[int, List[Example]]]:
        """The batches with their epochs. They depend on the seed and their number only, not on the
        training in between, so that they can be read again."""
        batcher, max_epochs = self.settings["batcher"], self.settings["max_epochs"]
        batches = create_train_batches(self.nlp, corpus, batcher, max_epochs)
        own_randomness = OwnRandomness()
        while True:
            with own_randomness():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def resume(self, output: Path) -> bool:
        """Go on from a checkpoint.

        output (Path): The output folder of the training.
        RETURNS (bool): False if there is none.
        """
        progress = load_checkpoint(output, self.nlp, self.optimizer, self.progress.corpora)
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
            epoch, batch = found
            self._step(epoch, batch)
            progress = self.progress
            step, score, other_scores, is_best = progress.step, None, None, None
            if not step % self.settings["eval_frequency"]:
                with self.nlp.use_params(self.optimizer.averages or {}):
                    score, other_scores = self.evaluate()
                progress.results.append((score, step))
                is_best = score == max(progress.results)[0]
            progress.step += 1
            progress.words += sum(len(eg) for eg in batch)
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

    def _step(self, epoch: int, batch: List[Example]) -> None:
        settings, nlp = self.settings, self.nlp
        frozen = settings["frozen_components"]
        if settings["before_update"]:
            settings["before_update"](nlp, {"step": self.progress.step, "epoch": epoch})
        dropout = next(self.dropouts)
        for examples in subdivide_batch(batch, settings["accumulate_gradient"]):
            nlp.update(
                examples,
                drop=dropout,
                losses=self.progress.losses,
                sgd=False,  # type: ignore[arg-type]
                exclude=frozen,
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

    def save_checkpoint(self) -> None:
        """Write a checkpoint."""
        training = self.training
        with self._writing():
            save_checkpoint(self.path, training.nlp, training.optimizer, training.progress)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"Can't write to '{self.path}': {error}. The models and the checkpoint in it are "
                f"the last ones that were complete. Mend the cause, such as a full disk, and go on "
                f"with the same command and --resume."
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
) -> None:
    """Train a pipeline.

    nlp (Language): The initialized pipeline with the full config.
    output_path (Optional[Path]): Where models and checkpoints are saved; None for nowhere.
    checkpoint_every (Optional[int]): Steps from one checkpoint to the next; by default those from
        one evaluation to the next.
    resume (bool): Go on from the checkpoint in the output folder, if there is one.
    use_gpu (int): The GPU; -1 for the CPU.
    stdout, stderr (IO): Where to write messages.
    RAISES (KeyboardInterrupt): After Ctrl-C, once a checkpoint is written. SIGTERM ends the
        training in the same way, without an error.
    """
    msg = Printer(no_print=True)
    training = Training(nlp, use_gpu)
    settings = training.settings
    every = checkpoint_every or settings["eval_frequency"]
    output = None if output_path is None else Output(output_path, training)
    resumed = resume and output is not None and training.resume(output.path)
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
            log_step, finalize_logger = settings["logger"](nlp, stdout, stderr)
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
                ends = interrupts.received is not None or training.is_over
                if output is not None and (ends or training.progress.step % every == 0):
                    output.save_checkpoint()
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
        stdout.write(msg.warn("Interrupted. Go on with the same command and --resume") + "\n")
    if interrupts.received == SIGINT:
        raise KeyboardInterrupt
    if output is not None:
        stdout.write(
            msg.good("Saved pipeline to output directory", output.path / DIR_MODEL_LAST) + "\n"
        )
