"""Training by several processes at once, which torchrun starts: their group, and what they tell
each other. A process that trains by itself is a group of one and tells nobody anything.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Iterator, NamedTuple, Sequence, TypeVar

from ..optional import torch

if TYPE_CHECKING:
    from torch import nn

ValueT = TypeVar("ValueT")

#: how long a process waits for another one, such as for the evaluation: torch's default for CPUs
TIMEOUT = timedelta(minutes=30)


class Group(NamedTuple):
    """The processes that train together.

    rank (int): The number of this process.
    size (int): The number of processes.
    """

    rank: int = 0
    size: int = 1


_group = Group()


def group() -> Group:
    """Return the group of this process."""
    return _group


@contextmanager
def process_group(gpu_id: int = -1) -> Iterator[int]:
    """Join the processes that torchrun has started, for a `with` block. Does nothing in a process
    that torchrun has not started.

    gpu_id (int): The GPU; -1 for the CPU. The processes of torchrun take a GPU each, by their
        number on the machine.
    YIELDS (int): The GPU of this process; -1 for the CPU.
    RAISES (ValueError): If the machine has more processes than GPUs.
    """
    global _group
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield gpu_id
        return
    if gpu_id >= 0:
        gpu_id, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if gpu_id >= n_gpus:
            raise ValueError(
                f"Each process needs a GPU of its own, but torch finds {n_gpus} for process "
                f"{gpu_id} of this machine: lower --nproc-per-node of torchrun, or train on CPUs "
                f"without --gpu-id."
            )
    # torch imports it at some time in training. Imported inside a group, its functions keep the
    # group alive to the end of Python, where the group's threads crash the process now and then.
    from torch.distributed.nn import functional  # noqa: F401

    # Numbers and settings travel between CPUs, only gradients between GPUs.
    backend = "gloo" if gpu_id < 0 else "cpu:gloo,cuda:nccl"
    distributed.init_process_group(backend, timeout=TIMEOUT)
    _group = Group(distributed.get_rank(), distributed.get_world_size())
    try:
        yield gpu_id
    finally:
        _group = Group()
    # The threads of the group need the GIL to release the tensors of the last message. torch 2.3
    # holds it while it waits for their end, so they get it before, while this one sleeps.
    time.sleep(0.1)
    # Not after an error: with torch 2.3 this would wait for the others, which wait for this one.
    distributed.destroy_process_group()


def broadcast(value: ValueT) -> ValueT:
    """Send a value from the first process to all.

    value (ValueT): The value; only that of the first process counts.
    RETURNS (ValueT): The value of the first process.
    """
    if _group.size == 1:
        return value
    values = [value if _group.rank == 0 else None]
    with _naming_the_cause():
        torch.distributed.broadcast_object_list(values)
    (sent,) = values
    return sent  # type: ignore[return-value]


def gather(value: ValueT) -> list[ValueT]:
    """Collect a value from each process.

    value (ValueT): The value of this process.
    RETURNS (list[ValueT]): The values of all processes, in their order.
    """
    if _group.size == 1:
        return [value]
    values: list[ValueT] = [value] * _group.size
    with _naming_the_cause():
        torch.distributed.all_gather_object(values, value)
    return values


def maximum(number: int) -> int:
    """Return the greatest of the numbers of all processes."""
    if _group.size == 1:
        return number
    tensor = torch.tensor(number)
    with _naming_the_cause():
        torch.distributed.all_reduce(tensor, torch.distributed.ReduceOp.MAX)
    return int(tensor)


def sum_gradients(parameters: Sequence[nn.Parameter], n_items: float) -> float:
    """Replace the gradients of all processes by their sums. Where no process has a gradient, there
    is none afterwards.

    parameters (Sequence[nn.Parameter]): The same parameters in each process.
    n_items (float): The items in the loss of this process.
    RETURNS (float): The items in the losses of all processes.
    """
    if _group.size == 1:
        return n_items
    head = [n_items, *(float(p.grad is not None) for p in parameters)]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    # One message of all: many small ones would wait for each other.
    joined = torch.cat(
        [gradients[0].new_tensor(head), *(gradient.flatten() for gradient in gradients)]
    )
    with _naming_the_cause():
        torch.distributed.all_reduce(joined)
    sizes = [1, len(parameters), *(p.numel() for p in parameters)]
    total, n_gradients, *sums = torch.split_with_sizes(joined, sizes)
    for parameter, n, gradient in zip(parameters, n_gradients.tolist(), sums, strict=True):
        parameter.grad = gradient.view_as(parameter) if n else None
    return float(total)


@contextmanager
def _naming_the_cause() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(
            f"Process {_group.rank} stopped, because another process of the training has ended or "
            f"did not answer for {TIMEOUT.seconds // 60} minutes: look for its error. Fix the "
            f"cause, and continue from the last checkpoint with the same command and --resume. "
            f"({error})"
        ) from error
