"""Initial weights of recurrent layers."""

from __future__ import annotations

from torch import Tensor, nn

from .cells import Cell


def init_recurrent(layer: nn.Module, cell: Cell, chrono_length: int) -> None:
    """Initialize one recurrent layer in place.

    Input weights are Glorot-uniform and recurrent weights orthogonal, a gate at a time (a matrix of
    four stacked gates that is orthogonal as a whole has no orthogonal gate). The forget gate of an
    LSTM starts open: its bias is 1 (Jozefowicz et al. 2015, section 2.2).

    layer (nn.Module): The layer, with weights named as in `nn.RNNBase`.
    cell (Cell): Its cell.
    chrono_length (int): With T > 1, gated cells start with memories that last between 1 and T steps
        instead (chrono initialization, Tallec and Ollivier 2018, section 2: b_f = log U[1, T - 1]
        and b_i = -b_f; the GRU's z takes b_f).
    """
    for name, parameter in layer.named_parameters():
        gates = parameter.data.chunk(len(cell.gates))
        if name.startswith("weight_ih"):
            for gate in gates:
                nn.init.xavier_uniform_(gate)
        elif name.startswith("weight_hh"):
            for gate in gates:
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
            # torch adds two biases up, so that only the input one may carry the memory.
            if name.startswith("bias_ih"):
                _init_memory(dict(zip(cell.gates, gates, strict=True)), cell, chrono_length)


def _init_memory(biases: dict[str, Tensor], cell: Cell, chrono_length: int) -> None:
    if cell.keep_gate is None:
        return
    keep = biases[cell.keep_gate]
    if chrono_length <= 1:
        keep.fill_(cell.keep_bias)
        return
    keep.uniform_(1.0, max(1.0 + 1e-6, chrono_length - 1.0)).log_()
    if cell.write_gate is not None:
        biases[cell.write_gate].copy_(-keep)
