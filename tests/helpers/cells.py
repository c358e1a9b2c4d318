"""A cell that the package does not have, for tests of all code that uses the table of cells."""

from contextlib import contextmanager

import torch
from torch import nn

from spacy_rnn.nn.cells import CELLS, Cell

LIGHT = "light_gru"


def light_gru_step(gates, states, w_hh, b_hh):
    """Ravanelli et al. 2018, "Light gated recurrent units for speech recognition", with tanh."""
    (h,) = states
    z, n = (gates + nn.functional.linear(h, w_hh, b_hh)).chunk(2, dim=-1)
    z = z.sigmoid()
    return (z * h + (1 - z) * n.tanh(),)


@contextmanager
def light_gru():
    """Add the cell to the table within the context."""
    CELLS[LIGHT] = Cell("zn", step=light_gru_step, keep_gate="z")
    try:
        yield
    finally:
        del CELLS[LIGHT]


class LightGRU(nn.Module):
    """The same cell for one sequence (n, D), gate by gate, with the interface of `nn.GRU`."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.zeros(2 * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.zeros(2 * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(2 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(2 * hidden_size))

    def forward(self, x):
        n = self.hidden_size
        h = x.new_zeros(n)
        states = []
        for vector in x:
            keep, new = (
                self.weight_ih_l0[part] @ vector
                + self.bias_ih_l0[part]
                + self.weight_hh_l0[part] @ h
                + self.bias_hh_l0[part]
                for part in (slice(0, n), slice(n, 2 * n))
            )
            share = 1 / (1 + torch.exp(-keep))
            h = share * h + (1 - share) * torch.tanh(new)
            states.append(h)
        return torch.stack(states), h.unsqueeze(0)
