"""The shares of a training that several processes do together.

Every process reads the same batches in the same order. A step takes as many of them as there are
processes, and each process trains on its own; the gradients are added up before the optimizer's
step. So the weights stay the same everywhere, and are those of one process with batches as large as
those of a step.
"""

from __future__ import annotations

from typing import Collection, Dict, Iterable, Iterator, List, Tuple

import numpy as np
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import Model, fix_random_seed

from ..pipeline.base import RNNPipe
from ..runtime import distributed
from ..runtime.shim import TorchShim

Batch = List[Example]


def check_trainable(nlp: Language, frozen: Collection[str]) -> None:
    """Check that the gradients of all components can be added up.

    nlp (Language): The pipeline.
    frozen (Collection[str]): The components that are not trained.
    RAISES (ValueError): If components have parameters that are not those of this package.
    """
    foreign = [
        name
        for name, pipe in nlp.pipeline
        if name not in frozen
        and getattr(pipe, "is_trainable", False)
        and not _is_ours(getattr(pipe, "model", None))
    ]
    if foreign:
        raise ValueError(
            f"Several processes can train parameters of spacy-rnn only, but these components have "
            f"others: {', '.join(foreign)}. Add them to [training] frozen_components, or train "
            f"without torchrun."
        )


def _is_ours(model: object) -> bool:
    if not isinstance(model, Model):
        return model in (True, False, None)
    return all(
        not layer.param_names and all(isinstance(shim, TorchShim) for shim in layer.shims)
        for layer in model.walk()
    )


def check_same(setting: str, value: object, cure: str) -> None:
    """Check that a value is the same in all processes.

    setting (str): The name of the value.
    value (object): The value in this process.
    cure (str): What to do if it is not.
    RAISES (ValueError): In all processes, if it is not.
    """
    values = distributed.gather(value)
    if any(other != values[0] for other in values):
        raise ValueError(f"The processes of the training have different {setting}. {cure}")


def batches_of_steps(
    batches: Iterable[Tuple[int, Batch]],
) -> Iterator[Tuple[int, List[Batch]]]:
    """Collect the batches of each step: one for each process, fewer at the end of an epoch.

    batches (Iterable[Tuple[int, Batch]]): Batches with their epochs.
    YIELDS (Tuple[int, List[Batch]]): The epoch and the batches of a step.
    """
    size = distributed.group().size
    found: List[Batch] = []
    present = 0
    for epoch, batch in batches:
        if found and epoch != present:
            yield present, found
            found = []
        present = epoch
        found.append(batch)
        if len(found) == size:
            yield epoch, found
            found = []
    if found:
        yield present, found


def own_share(batches: List[Batch]) -> Batch:
    """Get the examples of a step on which this process trains.

    batches (List[Batch]): The batches of the step.
    RETURNS (Batch): Its own batch; if there are fewer batches than processes, every n-th example of
        all of them by length.
    """
    rank, size = distributed.group()
    if len(batches) == size:
        return batches[rank]
    examples = [example for batch in batches for example in batch]
    return sorted(examples, key=lambda example: len(example.predicted))[rank::size]


def shares(nlp: Language, batches: List[Batch]) -> Iterator[Tuple[Batch, List[str]]]:
    """Get what this process trains its components on in a step.

    nlp (Language): The pipeline.
    batches (List[Batch]): The batches of the step.
    YIELDS (Tuple[Batch, List[str]]): Examples, and the components that are not trained on them.
    """
    if distributed.group().size == 1:
        yield batches[0], []
        return
    whole = [
        name
        for name, pipe in nlp.pipeline
        if isinstance(pipe, RNNPipe) and pipe.reads_whole_batches
    ]
    others = [name for name in nlp.pipe_names if name not in whole]
    # Those with whole batches first, while the random states of all processes are still the same.
    if whole:
        yield [example for batch in batches for example in batch], others
    if others:
        yield own_share(batches), whole


def total_losses(losses: Dict[str, float]) -> Dict[str, float]:
    """Add up losses over all processes.

    losses (Dict[str, float]): The loss of each component in this process.
    RETURNS (Dict[str, float]): The sum of each loss.
    """
    sums: Dict[str, float] = {}
    for own in distributed.gather(losses):
        for name, loss in own.items():
            sums[name] = sums.get(name, 0.0) + loss
    return sums


def seed_step(seed: int, step: int) -> None:
    """Set the random states of a step, where several processes train together: the same in all
    of them. They do not depend on earlier steps, in which each process needs other random numbers.

    seed (int): The seed of the training.
    step (int): The number of the step.
    """
    if distributed.group().size > 1:
        fix_random_seed(_mixed(seed, step))


def seed_dropout(seed: int, step: int) -> None:
    """Set torch's random state of a step, where several processes train together: another one in
    each of them.

    seed (int): The seed of the training.
    step (int): The number of the step.
    """
    rank, size = distributed.group()
    if size > 1:
        torch.manual_seed(_mixed(seed, step, rank))


def _mixed(*numbers: int) -> int:
    (mixed,) = np.random.SeedSequence(numbers).generate_state(1)
    return int(mixed)
