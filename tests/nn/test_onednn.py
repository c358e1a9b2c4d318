"""The private product of oneDNN is used where it works, and its caches are bounded."""

import os
import subprocess
import sys

import pytest
import torch

from spacy_rnn.nn import linear as linear_module
from spacy_rnn.nn import onednn
from spacy_rnn.nn.linear import linear

CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
OPERATOR = onednn._OPERATOR
available = OPERATOR is not None and torch.backends.mkldnn.is_available()
needs_onednn = pytest.mark.skipif(not available, reason="this torch has no oneDNN")


@pytest.fixture
def replace(monkeypatch):
    """A function that replaces torch's operator by another one, which is tried again."""
    monkeypatch.setattr(linear_module, "LARGE", 0)
    onednn.has_product.cache_clear()
    yield lambda operator: monkeypatch.setattr(onednn, "_OPERATOR", operator)
    onednn.has_product.cache_clear()


@needs_onednn
def test_the_operator_is_used_here():
    assert onednn.has_product()


def refuse(x, weight, bias, attr, scalars):
    """Take fewer arguments than torch's operator."""


def raise_as_torch_does(*arguments):
    raise RuntimeError("mkldnn::_linear_pointwise() is missing value for argument 'binary'")


OTHERS = {
    "is not there": None,
    "takes other arguments": refuse,
    "raises": raise_as_torch_does,
    "gives other values": lambda x, weight, *_: torch.nn.functional.linear(x, weight),
    "gives another shape": lambda x, weight, *_: weight @ x.t(),
    "gives several tensors": lambda *arguments: (OPERATOR(*arguments), None),
}


@pytest.mark.parametrize("name", OTHERS)
def test_torchs_product_replaces_an_unusable_operator(name, replace):
    replace(OTHERS[name])
    assert not onednn.has_product()
    x, weight, bias = torch.randn(5, 6), torch.randn(7, 6), torch.randn(7)
    expected = torch.nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(linear(x, weight, bias), expected, rtol=0, atol=0)


@needs_onednn
def test_the_operator_is_tried_once(replace):
    calls = []
    replace(lambda *arguments: calls.append(arguments) or OPERATOR(*arguments))
    for _ in range(3):
        assert onednn.has_product()
    assert len(calls) == 2


def values_after(code, **variables):
    """The sizes of the caches in the environment of a process, after it ran the code."""
    environment = {name: value for name, value in os.environ.items() if name not in CACHES}
    code = f"{code}\nimport os; print(*(os.environ.get(name) for name in {CACHES}))"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **variables},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()


@pytest.mark.slow
def test_sizes_set_in_the_environment_are_kept():
    code = "from spacy_rnn.nn.onednn import limit_caches; limit_caches()"
    assert values_after(code) == ["64", "64"]
    assert values_after(code, LRU_CACHE_CAPACITY="7") == ["64", "7"]


@pytest.mark.slow
def test_networks_used_without_pipelines_limit_the_caches():
    assert values_after(
        "from spacy_rnn.config.encoder import RNNEncoder; RNNEncoder().module(2)"
    ) == ["64", "64"]
    code = "import torch; from spacy_rnn.nn.linear import Linear; layer = Linear(1024, 2048)"
    assert values_after(f"{code}; assert layer(torch.randn(2, 1024)).shape == (2, 2048)") == (
        ["64", "64"] if available else ["None", "None"]
    )


#: code for a separate process, which prints the resident memory in MB after 50 and 300 shapes
SHAPES = """
import torch
from spacy_rnn.nn.linear import Linear

torch.set_num_threads(1)
layer = Linear(400, 300)
for n in range(1, 301):
    layer(torch.randn(300 + n, 400)).sum().backward()
    if n in (50, 300):
        status = open("/proc/self/status").read()
        print(int(status.split("VmRSS:")[1].split()[0]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@needs_onednn
def test_memory_does_not_grow_with_the_number_of_shapes():
    environment = {name: value for name, value in os.environ.items() if name not in CACHES}
    done = subprocess.run(
        [sys.executable, "-c", SHAPES], env=environment, check=True, capture_output=True, text=True
    )
    early, late = map(float, done.stdout.split())
    assert late < early + 60
