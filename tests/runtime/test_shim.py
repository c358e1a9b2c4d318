"""The torch runtime: updates, averages, skipped steps and saved bytes."""

import copy
import json
import pickle
import struct

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Adam, Optimizer

from spacy_rnn.architectures.tagger import TaggerArchitecture
from spacy_rnn.config.embedding import AffixEmbedding, WordEmbedding
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn import precision
from spacy_rnn.nn.tagger import tagging_loss
from spacy_rnn.runtime import step_counts
from spacy_rnn.runtime.optimizer import make_adamw, parameter_key
from spacy_rnn.runtime.shim import TorchShim
from spacy_rnn.runtime.tok2vec import DocBatch

TEXTS = [["the", "cat", "sat"], ["a", "dog"], ["the", "dog", "sat", "down", "."]]
N_LABELS = 3
VOCAB = Vocab()
DOCS = [Doc(VOCAB, words=words) for words in TEXTS]


def make_network(hidden_size=4, affixes=False):
    embedding = dict(
        words=WordEmbedding(width=3, min_freq=1, unknown_dropout=0.0),
        affixes=AffixEmbedding(width=2, rows=10) if affixes else None,
    )
    return TaggerArchitecture(embedding, RNNEncoder(hidden_size=hidden_size, depth=1), "softmax")


def make_shim(network=None, seed=0, make=TorchShim, **options):
    torch.manual_seed(seed)
    shim = make(network or make_network(), **options)
    shim.features.build(DOCS)
    shim.build({"tag": N_LABELS})
    return shim


def make_loss(shim, docs):
    """The summed loss of docs as a function of the module, and their number of tokens."""
    batch = shim.architecture.batch(shim, DocBatch(docs))
    targets = {"tag": torch.tensor([len(token) % N_LABELS for doc in docs for token in doc])}
    return lambda module: tagging_loss(module(batch), targets), sum(map(len, docs))


def accumulate(shim, docs, factor=1.0, dropout=0.0):
    """Add up the gradient of one batch. Returns its loss."""
    loss, n_items = make_loss(shim, docs)
    with shim.training(dropout) as module:
        summed = loss(module) * factor
    value, backprop = shim.begin_update(summed, n_items)
    backprop(1.0)
    return value


def snapshot(shim):
    return {name: p.detach().clone() for name, p in shim.module.named_parameters()}


def logits(shim, docs=DOCS):
    batch = shim.architecture.batch(shim, DocBatch(docs))
    with shim.inference() as module:
        return module(batch)["tag"].scores.numpy()


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


class Recorder(Optimizer):
    """An optimizer that takes no step but keeps the gradients it is given."""

    def __init__(self, grad_clip):
        super().__init__(0.0, grad_clip=grad_clip)
        self.gradients = {}

    def __call__(self, key, weights, gradient, *, lr_scale=1.0):
        self.gradients[key[-1]] = torch.tensor(gradient)
        return weights, gradient


def recorded(shim, grad_clip=0.0):
    recorder = Recorder(grad_clip)
    shim.finish_update(recorder)
    return recorder.gradients


# Updates


@pytest.mark.parametrize("grad_clip", [0.0, 0.01, 0.1, 100.0])
def test_the_gradient_is_that_of_the_mean_loss_and_clipped_as_a_whole(grad_clip):
    shim = make_shim()
    module = copy.deepcopy(shim.module).double()
    loss, n_items = make_loss(shim, DOCS)
    (loss(module) / n_items).backward()
    if grad_clip:
        torch.nn.utils.clip_grad_norm_(module.parameters(), grad_clip)
    accumulate(shim, DOCS)
    gradients = recorded(shim, grad_clip)
    assert gradients.keys() == dict(module.named_parameters()).keys()
    for name, gradient in gradients.items():
        expected = module.get_parameter(name).grad.float()
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-7)


def test_parts_of_a_batch_give_the_gradient_of_the_whole():
    shim = make_shim()
    accumulate(shim, DOCS)
    whole = recorded(shim)
    for docs in (DOCS[:1], DOCS[1:]):
        accumulate(shim, docs)
    pieces = recorded(shim)
    for name, gradient in whole.items():
        torch.testing.assert_close(pieces[name], gradient, rtol=1e-4, atol=1e-7)


def test_a_step_leaves_no_gradient_behind():
    shim = make_shim()
    accumulate(shim, DOCS)
    first = recorded(shim)
    assert all(p.grad is None for p in shim.module.parameters())
    assert recorded(shim) == {}
    accumulate(shim, DOCS)
    assert_equal(recorded(shim), first)


def test_the_loss_and_the_factor_of_its_gradient():
    shim = make_shim()
    loss, n_items = make_loss(shim, DOCS)
    value, backprop = shim.begin_update(loss(shim.module), n_items)
    assert value == pytest.approx(loss(shim.module).item())
    backprop(1.0)
    once = recorded(shim)
    shim.begin_update(loss(shim.module), n_items)[1](3.0)
    for name, gradient in recorded(shim).items():
        torch.testing.assert_close(gradient, 3 * once[name])


@pytest.mark.parametrize("make_optimizer", [make_adamw, Adam])
def test_training_fits_the_data_and_averages_are_used(make_optimizer):
    shim = make_shim()
    optimizer = make_optimizer(0.05)
    losses = []
    for _ in range(30):
        losses.append(accumulate(shim, DOCS))
        shim.finish_update(optimizer)
    assert losses[-1] < 0.2 * losses[0]
    trained = snapshot(shim)
    with shim.use_params(optimizer.averages):
        averages = snapshot(shim)
    for name, average in averages.items():
        kept = optimizer.averages[parameter_key(shim.id, name)]
        torch.testing.assert_close(average, torch.as_tensor(kept))
        assert not torch.equal(average, trained[name])
    assert_equal(snapshot(shim), trained)


@pytest.mark.parametrize("make_optimizer", [make_adamw, Adam])
def test_training_continues_after_a_resize(make_optimizer):
    shim = make_shim()
    optimizer = make_optimizer(0.05)
    accumulate(shim, DOCS)
    shim.finish_update(optimizer)
    shim.resize({"tag": N_LABELS + 2})
    assert logits(shim).shape == (10, N_LABELS + 2)
    losses = []
    for _ in range(30):
        losses.append(accumulate(shim, DOCS))
        shim.finish_update(optimizer)
    assert losses[-1] < 0.2 * losses[0]
    with shim.use_params(optimizer.averages):
        assert logits(shim).shape == (10, N_LABELS + 2)


def test_a_resize_keeps_the_scores_of_known_labels():
    shim = make_shim()
    before = logits(shim)
    shim.resize({"tag": N_LABELS + 2})
    np.testing.assert_allclose(logits(shim)[:, :N_LABELS], before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("mixed_precision", "amx"), [("bf16", False), ("fp16", True)])
def test_half_precision_is_off_on_a_cpu_that_is_not_faster_with_it(
    mixed_precision, amx, monkeypatch
):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: amx)
    shim, half = make_shim(), make_shim(mixed_precision=mixed_precision)
    np.testing.assert_array_equal(logits(half), logits(shim))
    for one in (shim, half):
        accumulate(one, DOCS)
    assert_equal(recorded(half), recorded(shim))


def test_a_cpu_with_amx_trains_in_bfloat16_and_predicts_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: True)
    shim, half = make_shim(), make_shim(mixed_precision="bf16")
    np.testing.assert_array_equal(logits(half), logits(shim))
    losses = [accumulate(one, DOCS) for one in (shim, half)]
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.01)
    single, rounded = recorded(shim), recorded(half)
    for name, gradient in single.items():
        assert rounded[name].dtype == torch.float32
        torch.testing.assert_close(rounded[name], gradient, rtol=0.05, atol=0.01)


class ScaledShim(TorchShim):
    """Scales its loss on any device."""

    scales_loss = True


def test_the_scale_of_a_float16_loss(monkeypatch):
    """It is halved when a gradient overflows and doubled after some steps without an overflow. It
    does not change the training."""
    monkeypatch.setattr(step_counts, "STEPS_TO_GROW", 3)
    plain, scaled = make_shim(), make_shim(make=ScaledShim, mixed_precision="fp16")
    optimizers, scales = [make_adamw(0.1), make_adamw(0.1)], [scaled.scale]
    for factor in [1.0] * 5 + [float("inf")] + [1.0] * 3:
        for shim, optimizer in zip((plain, scaled), optimizers, strict=True):
            if np.isfinite(factor) or shim is scaled:
                accumulate(shim, DOCS, factor)
                shim.finish_update(optimizer)
        scales.append(scaled.scale / scales[0])
    assert scales[1:] == [1, 1, 2, 2, 2, 1, 1, 1, 2]
    assert scaled.steps.skipped == 0
    assert_equal(snapshot(scaled), snapshot(plain))


# Evaluation and training mode


def modes(module):
    return {part.training for part in module.modules()}


def test_training_mode_is_that_of_a_view_with_the_same_weights():
    shim = make_shim()
    with shim.training(0.5) as module:
        assert modes(module) == {True} and modes(shim.module) == {False}
        rates = {part.rate for part in shim.module.modules() if hasattr(part, "rate")}
        assert rates == {0.0}
        mine, its = dict(shim.module.named_parameters()), dict(module.named_parameters())
        assert mine.keys() == its.keys() and all(mine[name] is its[name] for name in mine)
        loss = make_loss(shim, DOCS)[0](module)
    before = snapshot(shim)
    shim.begin_update(loss, 10)[1](1.0)
    shim.finish_update(make_adamw())
    assert any(not torch.equal(before[name], p) for name, p in snapshot(shim).items())


def test_prediction_is_in_evaluation_mode_and_without_gradients():
    shim = make_shim()
    accumulate(shim, DOCS, dropout=0.9)
    with shim.inference() as module:
        assert not module.training
        assert not next(module.parameters()).mul(1).requires_grad
    np.testing.assert_array_equal(logits(shim), logits(shim))


def test_dropout_applies_only_to_its_update():
    shim = make_shim()
    without, same = (accumulate(shim, DOCS) for _ in range(2))
    assert without == same
    assert len({accumulate(shim, DOCS, dropout=0.5) for _ in range(4)}) > 1
    assert accumulate(shim, DOCS) == without


# Averages


def test_averages_follow_the_formula():
    shim = make_shim()
    optimizer = make_adamw(0.1)
    expected = {}
    for t in range(1, 16):
        accumulate(shim, DOCS)
        shim.finish_update(optimizer)
        decay = min(0.9999, (1 + t) / (10 + t))
        for name, weight in snapshot(shim).items():
            weight = weight.double()
            old = expected.get(name, weight)
            expected[name] = decay * old + (1 - decay) * weight
    with shim.use_params(optimizer.averages):
        for name, average in snapshot(shim).items():
            torch.testing.assert_close(average.double(), expected[name], rtol=1e-4, atol=1e-6)


def test_averages_are_swapped_in_and_out_again():
    shim = make_shim()
    before, scores = snapshot(shim), logits(shim)
    params = {parameter_key(shim.id, name): weight + 1 for name, weight in before.items()}
    with shim.use_params(params):
        assert_equal(snapshot(shim), {name: weight + 1 for name, weight in before.items()})
        assert not np.array_equal(logits(shim), scores)
    assert_equal(snapshot(shim), before)
    with pytest.raises(KeyError):
        with shim.use_params(params):
            raise KeyError("in the block")
    assert_equal(snapshot(shim), before)


def test_averages_of_numpy_arrays():
    shim = make_shim()
    key = parameter_key(shim.id, "heads.tag.bias")
    with shim.use_params({key: np.full(N_LABELS, 5, dtype="float32")}):
        assert shim.module.heads["tag"].bias.tolist() == [5] * N_LABELS


def test_averages_of_other_weights_are_ignored():
    shim = make_shim()
    before = snapshot(shim)
    params = {
        parameter_key(shim.id + 1, "heads.tag.bias"): np.ones(N_LABELS, dtype="float32"),
        parameter_key(shim.id, "heads.tag.weight"): np.ones((9, 9), dtype="float32"),
        (shim.id, "b"): np.ones(N_LABELS, dtype="float32"),
    }
    with shim.use_params(params):
        assert_equal(snapshot(shim), before)


def test_the_norm_of_the_last_gradient_is_known():
    """Before clipping; a step without a gradient has none."""
    shim = make_shim()
    assert shim.gradient_norm is None
    accumulate(shim, DOCS)
    gradients = recorded(shim)
    norm = torch.cat([torch.as_tensor(g).flatten() for g in gradients.values()]).norm()
    assert shim.gradient_norm == pytest.approx(float(norm), rel=1e-5)
    accumulate(shim, DOCS)
    shim.finish_update(make_adamw(grad_clip=1e-3))
    assert shim.gradient_norm == pytest.approx(float(norm), rel=1e-5)
    shim.finish_update(make_adamw())
    assert shim.gradient_norm is None


# Steps that are skipped


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(factor):
    shim = make_shim()
    optimizer = make_adamw(0.1)
    before = snapshot(shim)
    accumulate(shim, DOCS, factor)
    shim.finish_update(optimizer)
    assert_equal(snapshot(shim), before)
    assert (shim.steps.skipped, shim.steps.skipped_in_a_row) == (1, 1)
    assert not np.isfinite(shim.gradient_norm)
    assert optimizer.averages == {}


def test_a_skipped_step_leaves_no_trace_in_the_next():
    shim = make_shim()
    accumulate(shim, DOCS)
    expected = recorded(shim)
    accumulate(shim, DOCS[:2], float("nan"))
    assert recorded(shim) == {}
    accumulate(shim, DOCS)
    assert_equal(recorded(shim), expected)


def test_too_many_skipped_steps_in_a_row_end_training():
    shim = make_shim()
    optimizer = make_adamw(max_skipped_steps=3)
    before = snapshot(shim)
    for _ in range(2):
        accumulate(shim, DOCS, float("nan"))
        shim.finish_update(optimizer)
    accumulate(shim, DOCS, float("nan"))
    with pytest.raises(ValueError, match="learn_rate"):
        shim.finish_update(optimizer)
    assert_equal(snapshot(shim), before)


def test_a_good_step_between_skipped_ones_resets_their_count():
    shim = make_shim()
    optimizer = make_adamw(max_skipped_steps=3)
    for factor in [float("nan"), float("nan"), 1.0, float("nan"), float("nan")]:
        accumulate(shim, DOCS, factor)
        shim.finish_update(optimizer)
    assert (shim.steps.skipped, shim.steps.skipped_in_a_row) == (4, 2)


def test_after_the_error_training_may_be_tried_again():
    shim = make_shim()
    before = snapshot(shim)
    accumulate(shim, DOCS, float("nan"))
    with pytest.raises(ValueError, match="learn_rate"):
        shim.finish_update(make_adamw(max_skipped_steps=1))
    accumulate(shim, DOCS)
    shim.finish_update(make_adamw(0.001))
    after = snapshot(shim)
    assert not torch.equal(after["heads.tag.weight"], before["heads.tag.weight"])


def test_thincs_optimizers_skip_steps_too():
    shim = make_shim()
    optimizer = Adam(0.1)
    before = snapshot(shim)
    for _ in range(19):
        accumulate(shim, DOCS, float("nan"))
        shim.finish_update(optimizer)
    assert_equal(snapshot(shim), before)
    accumulate(shim, DOCS, float("nan"))
    with pytest.raises(ValueError, match="20 steps in a row"):
        shim.finish_update(optimizer)


# Bytes


def test_bytes_round_trip():
    shim = make_shim()
    loaded = TorchShim(make_network()).from_bytes(shim.to_bytes())
    assert_equal(snapshot(loaded), snapshot(shim))
    np.testing.assert_array_equal(logits(loaded), logits(shim))
    assert loaded.outputs == {"tag": N_LABELS}
    assert modes(loaded.module) == {False}


def test_bytes_are_deterministic():
    shim = make_shim()
    data = shim.to_bytes()
    assert shim.to_bytes() == data
    assert make_shim().to_bytes() == data
    assert TorchShim(make_network()).from_bytes(data).to_bytes() == data
    assert make_shim(seed=1).to_bytes() != data


def test_bytes_of_a_model_without_weights():
    assert TorchShim(make_network()).to_bytes() == b""
    loaded = TorchShim(make_network()).from_bytes(b"")
    assert not loaded.is_built
    with pytest.raises(ValueError, match="no weights yet"), loaded.inference():
        pass


def test_disk_round_trip(tmp_path):
    shim = make_shim()
    shim.to_disk(tmp_path / "weights")
    loaded = TorchShim(make_network()).from_disk(tmp_path / "weights")
    np.testing.assert_array_equal(logits(loaded), logits(shim))


def test_training_a_copy_does_not_change_the_original():
    shim = make_shim()
    before = logits(shim)
    copied = shim.copy()
    np.testing.assert_array_equal(logits(copied), before)
    accumulate(copied, DOCS)
    copied.finish_update(make_adamw(0.1))
    assert not np.array_equal(logits(copied), before)
    np.testing.assert_array_equal(logits(shim), before)


def unpickled(value):
    return pickle.loads(pickle.dumps(value))


def averaged(shim, optimizer):
    with shim.use_params(optimizer.averages):
        return snapshot(shim)


def test_no_two_modules_share_an_id():
    shim = make_shim()
    data = pickle.dumps(shim)
    shims = [shim, shim.copy(), copy.deepcopy(shim), pickle.loads(data), pickle.loads(data)]
    shims += [TorchShim(make_network()).from_bytes(shim.to_bytes()), make_shim()]
    ids = [each.id for each in shims]
    shim.from_bytes(shim.to_bytes())
    assert len({*ids, shim.id}) == len(shims) + 1


@pytest.mark.parametrize("make_optimizer", [make_adamw, Adam])
@pytest.mark.parametrize("duplicate", [unpickled, copy.deepcopy])
def test_copies_share_nothing_in_an_optimizer(duplicate, make_optimizer):
    def step(shim, docs, optimizer):
        for _ in range(3):
            accumulate(shim, docs)
            shim.finish_update(optimizer)

    shim, together = make_shim(), make_optimizer(0.1)
    copied = duplicate(shim)
    step(shim, DOCS[:1], together)
    step(copied, DOCS[1:], together)
    for each, docs in [(shim, DOCS[:1]), (copied, DOCS[1:])]:
        alone, optimizer = make_shim(), make_optimizer(0.1)
        step(alone, docs, optimizer)
        assert_equal(snapshot(each), snapshot(alone))
        assert_equal(averaged(each, together), averaged(alone, optimizer))


@pytest.mark.parametrize("make_optimizer", [make_adamw, Adam])
@pytest.mark.parametrize("duplicate", [unpickled, copy.deepcopy])
def test_an_optimizer_copied_with_a_shim_keeps_its_state(duplicate, make_optimizer):
    shim, optimizer = make_shim(), make_optimizer(0.1)
    accumulate(shim, DOCS)
    shim.finish_update(optimizer)
    pairs = [(shim, optimizer), duplicate((shim, optimizer))]
    for each, its_optimizer in pairs:
        accumulate(each, DOCS)
        each.finish_update(its_optimizer)
    assert_equal(*(snapshot(each) for each, _ in pairs))
    assert_equal(*(averaged(*pair) for pair in pairs))


def test_truncated_bytes_are_an_error():
    data = make_shim().to_bytes()
    header = 8 + struct.unpack("<Q", data[:8])[0]
    lengths = {1, 7, 8, 9, header - 1, header, header + 1, len(data) - 1}
    for length in sorted(lengths | set(range(10, len(data), 97))):
        with pytest.raises(ValueError, match="damaged or incomplete"):
            TorchShim(make_network()).from_bytes(data[:length])


@pytest.mark.parametrize("data", [b"not a model at all", b"\x02" + b"\0" * 7 + b"{}", b"\xff" * 64])
def test_other_bytes_are_an_error(data):
    with pytest.raises(ValueError, match="damaged or incomplete"):
        TorchShim(make_network()).from_bytes(data)


def test_a_newer_format_is_an_error(monkeypatch):
    shim = make_shim()
    with monkeypatch.context() as newer:
        newer.setattr("spacy_rnn.runtime.serialization.FORMAT", 99)
        data = shim.to_bytes()
    with pytest.raises(ValueError, match="format 99.*[Uu]pgrade"):
        make_shim().from_bytes(data)


@pytest.mark.parametrize(
    ("saved", "config"),
    [
        (make_network(hidden_size=4), make_network(hidden_size=5)),
        (make_network(affixes=True), make_network(affixes=False)),
        (make_network(affixes=False), make_network(affixes=True)),
    ],
)
def test_weights_that_do_not_fit_are_an_error(saved, config):
    data = make_shim(saved).to_bytes()
    with pytest.raises(ValueError, match="config"):
        TorchShim(config).from_bytes(data)


def test_the_metadata_of_saved_weights_is_json():
    data = make_shim().to_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    state = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["spacy_rnn"])
    assert state["outputs"] == {"tag": N_LABELS}
    assert state["features"]["words"] == {"words": ["dog", "sat", "the", ".", "a", "cat", "down"]}
