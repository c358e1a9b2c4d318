"""Changes to the process that the package runs in. An import changes nothing."""

import os
import warnings
from functools import cache

from .. import forks, nn
from ..optional import torch


@cache
def prepare_process() -> None:
    """Make the process ready for its first network. Later calls do nothing.

    It limits the caches of oneDNN, makes forks safe while other threads work, and gives each child
    process that is forked one thread. OpenMP's threads do not survive a fork: a child that uses
    more than one waits for them forever. And where several processes share the cores, more than
    one thread each makes all of them many times slower. On a GPU cuDNN computes in full float32: by
    torch's default it would round to TF32, whose 10 bits make answers depend on the batch.
    """
    nn.onednn.limit_caches()
    torch.backends.cudnn.allow_tf32 = False
    # Weights that weight-drop or half precision makes anew for each call cannot be.
    warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
    forks.make_safe()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_use_one_thread)


def _use_one_thread() -> None:
    torch.set_num_threads(1)
