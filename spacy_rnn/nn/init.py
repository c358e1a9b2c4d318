"""Initial weights of recurrent layers."""

from __future__ import annotations

from torch import Tensor, nn

#: gates of a cell, in the order in which torch stacks them in one weight matrix
GATES = {"rnn_tanh": "h", "rnn_relu": "h", "gru": "rzn", "lstm": "ifgo"}
#: the gate that decides what share of its state a cell keeps (in torch's GRU, z is that share)
KEEP_GATE = {"gru": "z", "lstm": "f"}


def init_recurrent(layer: nn.RNNBase, cell: str, chrono_length: int = 0) -> None:
    """Initialize one recurrent layer in place.

    Input weights are Glorot-uniform and recurrent weights orthogonal, a gate at a time (a matrix of
    four stacked gates that is orthogonal as a whole has no orthogonal gate). The forget gate of an
    LSTM starts open: its bias is 1 (Jozefowicz et al. 2015, section 2.2).

    chrono_length: with T > 1, gated cells start with memories that last between 1 and T steps
        instead (chrono initialization, Tallec and Ollivier 2018, section 2: b_f = log U[1, T - 1]
        and b_i = -b_f; the GRU's z takes b_f).
    """
    for name, parameter in layer.named_parameters():
        blocks = parameter.data.split(layer.hidden_size)
        if name.startswith("weight_ih"):
            for block in blocks:
                nn.init.xavier_uniform_(block)
        elif name.startswith("weight_hh"):
            for block in blocks:
                nn.init.orthogonal_(block)
        else:
            nn.init.zeros_(parameter)
            # torch adds two biases up, so that only the input one may carry the memory.
            if name.startswith("bias_ih") and cell in KEEP_GATE:
                _init_memory(dict(zip(GATES[cell], blocks, strict=True)), cell, chrono_length)


def _init_memory(biases: dict[str, Tensor], cell: str, chrono_length: int) -> None:
    keep = biases[KEEP_GATE[cell]]
    if chrono_length > 1:
        keep.uniform_(1.0, max(1.0 + 1e-6, chrono_length - 1.0)).log_()
        if cell == "lstm":
            biases["i"].copy_(-keep)
    elif cell == "lstm":
        keep.fill_(1.0)
