"""AdamW compared with torch's for torch modules, and with thinc's Adam for thinc layers."""

import copy

import numpy as np
import pytest
import spacy
import torch
from thinc.api import Adam, Linear, NumpyOps, registry
from torch import nn

from spacy_rnn.runtime.optimizer import AdamW, make_adamw, parameter_key


class Net(nn.Module):
    """A layer of each kind that weight decay tells apart."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(6, 4)
        self.rnn = nn.GRU(4, 4)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        return self.head(self.norm(self.rnn(self.table(ids))[0]))


DECAYED = ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "head.weight"]
IDS = torch.tensor([1, 2, 3, 1])


def set_gradients(module, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def assert_close(module, other):
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter, other.get_parameter(name), rtol=1e-5, atol=1e-6)


def torch_adamw(module, **options):
    """torch's AdamW in its simplest form, with weight decay only for `DECAYED`."""
    decay = options.pop("weight_decay")
    parameters = dict(module.named_parameters())
    groups = [
        {"params": [parameters[name]], "weight_decay": decay if name in DECAYED else 0.0}
        for name in parameters
    ]
    return torch.optim.AdamW(groups, foreach=False, fused=False, **options)


@pytest.mark.parametrize("steps", [1, 40])
def test_steps_equal_those_of_torch(steps):
    mine, theirs = Net(), Net()
    optimizer = make_adamw(0.02, weight_decay=0.3, beta1=0.8, beta2=0.95, eps=1e-3)
    expected = torch_adamw(theirs, lr=0.02, weight_decay=0.3, betas=(0.8, 0.95), eps=1e-3)
    for step in range(steps):
        for module in (mine, theirs):
            set_gradients(module, step)
        optimizer.step_module(1, mine)
        expected.step()
    assert_close(mine, theirs)


def test_weights_without_a_gradient_do_not_change():
    module = Net()
    before = copy.deepcopy(module)
    module.head.weight.grad = torch.ones(3, 4)
    make_adamw(0.1, weight_decay=0.5).step_module(1, module)
    changed = [
        name
        for name, parameter in module.named_parameters()
        if not torch.equal(parameter, before.get_parameter(name))
    ]
    assert changed == ["head.weight"]


def test_no_decay_of_biases_norms_and_embeddings():
    """If the gradient is zero, only weight decay changes a weight."""
    module = Net()
    before = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make_adamw(0.1, weight_decay=0.5).step_module(1, module)
    for name, parameter in module.named_parameters():
        factor = 1 - 0.1 * 0.5 if name in DECAYED else 1.0
        torch.testing.assert_close(parameter, before.get_parameter(name) * factor)


def test_tied_weights_are_updated_once_and_do_not_decay():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 6, bias=False)
            self.table = nn.Embedding(6, 4)
            self.table.weight = self.head.weight

    module = Tied()
    before = module.head.weight.detach().clone()
    module.head.weight.grad = torch.ones(6, 4)
    make_adamw(0.1, weight_decay=0.5).step_module(1, module)
    torch.testing.assert_close(module.table.weight, before - 0.1)


def test_schedules_change_the_learning_rate():
    """With a constant gradient, the size of a step of Adam is its learning rate."""
    module = nn.Linear(1, 1, bias=False)
    optimizer = make_adamw([0.1, 0.03, 0.01], weight_decay=0.0)
    lengths = []
    for _ in range(4):
        before = module.weight.item()
        module.weight.grad = torch.ones(1, 1)
        optimizer.step_module(1, module)
        lengths.append(before - module.weight.item())
        optimizer.step_schedules()
    assert lengths == pytest.approx([0.1, 0.03, 0.01, 0.01], rel=1e-4)


def test_every_number_may_be_a_schedule():
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    optimizer = make_adamw(0.1, weight_decay=[0.5, 0.0], grad_clip=[2.0, 1.0])
    for expected in (0.95, 0.95):
        module.weight.grad = torch.zeros(1, 1)
        optimizer.step_module(1, module)
        assert module.weight.item() == pytest.approx(expected)
        optimizer.step_schedules()
    assert optimizer.grad_clip == 1.0


def test_resizing_a_layer_keeps_the_moments_of_the_others():
    mine, theirs = Net(), Net()
    options = {"weight_decay": 0.1, "eps": 1e-8}
    optimizer = make_adamw(0.01, **options)
    expected = torch_adamw(theirs, lr=0.01, **options)
    for step in range(6):
        if step == 3:
            wider = nn.Linear(4, 5)
            mine.head, theirs.head = copy.deepcopy(wider), wider
            expected_head = torch.optim.AdamW(
                [{"params": [wider.weight]}, {"params": [wider.bias], "weight_decay": 0.0}],
                lr=0.01,
                **options,
            )
        for module in (mine, theirs):
            set_gradients(module, step)
        optimizer.step_module(1, mine)
        expected.step()
        if step >= 3:
            expected_head.step()
    assert_close(mine, theirs)


def test_each_module_has_separate_moments():
    modules, alone = [Net(), Net()], [Net(), Net()]
    together = make_adamw()
    for step in range(3):
        for key, module in enumerate(modules):
            set_gradients(module, 10 * key + step)
            together.step_module(key, module)
    for key, module in enumerate(alone):
        optimizer = make_adamw()
        for step in range(3):
            set_gradients(module, 10 * key + step)
            optimizer.step_module(key, module)
        assert_close(modules[key], module)


@pytest.mark.parametrize("t", [1, 50_000, 89_990, 1_000_000])
def test_averages_are_updated_like_thincs(t):
    """Also after 90,000 steps, when the decay has grown to its limit of 0.9999."""
    module = nn.Linear(4, 3)
    optimizer = make_adamw()
    optimizer.update_averages(1, module)
    average = optimizer.averages[parameter_key(1, "weight")]
    expected = average.numpy().astype("float64")
    nn.init.normal_(module.weight, std=100.0)
    NumpyOps().update_averages(expected, module.weight.detach().numpy(), t)
    optimizer.nr_update[parameter_key(1, "")] = t - 1
    optimizer.update_averages(1, module)
    torch.testing.assert_close(average.double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-6)


def test_averages_can_be_turned_off():
    optimizer = make_adamw(use_averages=False)
    optimizer.update_averages(1, Net())
    assert optimizer.averages is None


def train_linear(optimizer):
    layer = Linear(2, 3)
    layer.set_param("W", np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3))
    layer.set_param("b", np.zeros(2, dtype="float32"))
    x = np.arange(12, dtype="float32").reshape(4, 3) / 12
    for _ in range(10):
        y, backprop = layer.begin_update(x)
        backprop(y - 1)
        layer.finish_update(optimizer)
        optimizer.step_schedules()
    with layer.use_params(optimizer.averages):
        averaged = layer.get_param("W").copy()
    return layer.get_param("W"), layer.get_param("b"), averaged


def test_a_thinc_layer_is_trained_like_by_thincs_adam():
    options = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "grad_clip": 0.5}
    mine = train_linear(make_adamw([0.1, 0.05], weight_decay=0.2, **options))
    theirs = train_linear(Adam([0.1, 0.05], L2=0.2, **options))
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("resolve", [registry.resolve, spacy.registry.resolve])
def test_registered(resolve):
    config = {
        "optimizer": {
            "@optimizers": "spacy_rnn.AdamW.v1",
            "learn_rate": {
                "@schedules": "warmup_linear.v1",
                "warmup_steps": 2,
                "total_steps": 10,
                "initial_rate": 0.1,
            },
            "weight_decay": 0.25,
            "beta1": 0.7,
            "grad_clip": 2.0,
            "max_skipped_steps": 3,
        }
    }
    optimizer = resolve(config)["optimizer"]
    assert isinstance(optimizer, AdamW)
    rates = []
    for _ in range(3):
        rates.append(optimizer.learn_rate)
        optimizer.step_schedules()
    assert rates == pytest.approx([0.0, 0.05, 0.1])
    assert (optimizer.L2, optimizer.b1, optimizer.b2) == (0.25, 0.7, 0.999)
    assert (optimizer.grad_clip, optimizer.max_skipped_steps) == (2.0, 3)


def test_max_skipped_steps_is_at_least_one():
    with pytest.raises(ValueError, match="max_skipped_steps"):
        make_adamw(max_skipped_steps=0)
