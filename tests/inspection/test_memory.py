"""Memory of training and prediction."""

import subprocess
import sys

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam

from spacy_rnn.inspection import memory
from spacy_rnn.inspection.memory import PeakMemory, estimate_memory

from ..helpers.kinds import KINDS
from ..helpers.pipelines import make_examples, make_pipeline, make_tagger


def adamw(**settings):
    return spacy.registry.get("optimizers", "spacy_rnn.AdamW.v1")(**settings)


def initialized(nlp):
    """The only component, initialized, and examples."""
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    return nlp.get_pipe(nlp.pipe_names[0]), examples


def nothing(examples):
    """No earlier component sets any annotation."""


def test_peak_by_hand():
    before = torch.ones(1000)
    with PeakMemory() as found:
        one = before + 1  # 4000
        two = one.view(10, 100)  # a view
        del one
        three = two.double()  # 12000
        del two
        four = three + 1  # 16000 with three
        del three, four
        torch.zeros(500)
    assert found.most == 16000
    assert found.now == 0


def test_peak_of_a_backward_pass():
    weight = torch.ones(1000, requires_grad=True)
    with PeakMemory() as found:
        # exp keeps its result; the sum and its gradient are scalars
        loss = (weight * 2).exp().sum()
        loss.backward()
        del loss
    assert 8000 <= found.most <= 16100
    assert found.now == weight.grad.nbytes == 4000


def test_parameters_by_hand():
    nlp = make_pipeline("rnn_textcat", {"embedding": {"characters": None}})
    pipe, examples = initialized(nlp)
    found = estimate_memory(pipe, [examples], 0.1, adamw(), nothing)
    words = {token.lower_ for eg in examples for token in eg.predicted}
    embedding, hidden = 8, 8
    lstm = 2 * (4 * hidden * (embedding + hidden) + 8 * hidden)
    head = 2 * (2 * 2 * hidden) + 2
    assert found.parameters == found.trained == (len(words) + 1) * embedding + lstm + head
    assert found.weights == found.gradients == 4 * found.parameters
    assert found.batch == sum(len(eg.predicted) for eg in examples)
    assert found.vectors == 0


@pytest.mark.parametrize("use_averages", [True, False])
def test_optimizer_state_is_that_after_a_step(use_averages):
    nlp = make_tagger()
    pipe, examples = initialized(nlp)
    optimizer = adamw(use_averages=use_averages)
    found = estimate_memory(pipe, [examples], 0.1, optimizer, nothing)
    nlp.update(examples, sgd=optimizer)
    (stepped,) = optimizer.torch_optimizers.values()
    state = [x for values in stepped.state.values() for x in values.values() if x.ndim]
    state += (optimizer.averages or {}).values()
    assert found.optimizer == sum(x.nbytes for x in state)


def test_state_of_a_stock_optimizer_is_that_after_a_step():
    nlp = make_tagger()
    pipe, examples = initialized(nlp)
    optimizer = Adam(0.001, use_averages=False)
    found = estimate_memory(pipe, [examples], 0.1, optimizer, nothing)
    nlp.update(examples, sgd=optimizer)
    state = [*optimizer.mom1.values(), *optimizer.mom2.values()]
    assert found.optimizer == sum(x.nbytes for x in state)


def test_vectors_that_are_not_trained():
    nlp = make_tagger(
        {"embedding": {"vectors": {"@architectures": "spacy_rnn.VectorEmbedding.v1"}}}
    )
    for word in ("I", "like", "ham"):
        nlp.vocab.set_vector(word, np.ones(5, dtype="float32"))
    pipe, examples = initialized(nlp)
    found = estimate_memory(pipe, [examples], 0.1, adamw(), nothing)
    assert found.vectors == nlp.vocab.vectors.data.nbytes > 0
    assert found.parameters == sum(p.numel() for p in pipe.shim.module.parameters())


@pytest.mark.parametrize("name", KINDS)
def test_weights_do_not_change(name):
    nlp = make_pipeline(name)
    pipe, examples = initialized(nlp)
    before = {key: value.clone() for key, value in pipe.shim.module.state_dict().items()}
    found = estimate_memory(pipe, [examples], 0.1, adamw(), nothing)
    assert found.activations > 0 and found.prediction > 0
    after = pipe.shim.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(p.grad is None for p in pipe.shim.module.parameters())


def test_documents_without_annotation():
    nlp = make_tagger()
    pipe, _ = initialized(nlp)
    plain = [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in ("", "not annotated")]
    found = estimate_memory(pipe, [plain, plain[:1]], 0.1, adamw(), nothing)
    assert found.activations is None and found.batch == 2


def tagged(nlp, n_words):
    words = ["ham"] * n_words
    return Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, tags=["NN"] * n_words))


def test_large_batches_are_estimated_from_smaller_ones(monkeypatch):
    nlp = make_tagger()
    pipe, _ = initialized(nlp)
    batches = [[tagged(nlp, 50)] * n for n in (3, 1, 8)]
    direct = estimate_memory(pipe, batches, 0.1, adamw(), nothing)
    monkeypatch.setattr(memory, "MOST_TOKENS", 200)
    reckoned = estimate_memory(pipe, batches, 0.1, adamw(), nothing)
    assert direct.batch == reckoned.batch == 400
    assert reckoned.activations == pytest.approx(direct.activations, rel=0.2)
    # If all are too large, the smallest is measured.
    monkeypatch.setattr(memory, "MOST_TOKENS", 10)
    again = estimate_memory(pipe, batches, 0.1, adamw(), nothing)
    assert direct.activations / 2 < again.activations < 2 * direct.activations


def test_the_size_of_the_batch_does_not_change_the_memory_of_streams():
    nlp = make_pipeline("rnn_lm", streams=2, bptt_length=6)
    pipe, examples = initialized(nlp)
    few, many = (estimate_memory(pipe, [examples * n], 0.0, adamw(), nothing) for n in (2, 8))
    assert few.batch == many.batch == 12
    assert many.activations == pytest.approx(few.activations, rel=0.2)


def test_documents_of_several_batches_share_the_streams():
    nlp = make_pipeline("rnn_lm", streams=3, bptt_length=4)
    pipe, examples = initialized(nlp)
    found = estimate_memory(pipe, [[eg] for eg in examples], 0.0, adamw(), nothing)
    assert found.activations > 0


def test_documents_longer_than_a_batch_of_prediction():
    nlp = make_tagger({"batch_tokens": 4})
    pipe, _ = initialized(nlp)
    found = estimate_memory(pipe, [[tagged(nlp, 9), tagged(nlp, 6)]], 0.1, adamw(), nothing)
    assert found.prediction_batch == 4 and found.prediction > 0


def test_annotation_of_earlier_components():
    """A sentence encoder needs the sentences that an earlier component sets."""
    sentences = {"@architectures": "spacy_rnn.SentenceEncoder.v1"}
    sentences["encoder"] = {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 4}
    sentences["pooling"] = {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["last"]}
    nlp = make_pipeline("rnn_textcat", {"sentences": sentences})
    sentencizer = nlp.create_pipe("sentencizer")

    def annotate(examples):
        for eg in examples:
            eg.predicted = sentencizer(eg.predicted)

    pipe, examples = initialized(nlp)
    assert estimate_memory(pipe, [examples], 0.1, adamw(), annotate).activations > 0
    plain = make_examples(nlp)
    with pytest.raises(ValueError, match="read by sentences"):
        estimate_memory(pipe, [plain], 0.1, adamw(), nothing)


MEASURE = """
import re
import numpy as np, spacy, torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy_rnn.inspection.memory import MOST_TOKENS, estimate_memory

torch.set_num_threads(1)
nlp = spacy.blank("xx")
pipe = nlp.add_pipe("rnn_textcat")
words = np.random.default_rng(0).zipf(1.3, size=(400, 40)) % 2000

def example(numbers):
    doc = Doc(nlp.vocab, words=[f"w{n}" for n in numbers])
    doc.cats = {"A": float(numbers[0] % 2), "B": float(1 - numbers[0] % 2)}
    return Example(Doc(nlp.vocab, words=[token.text for token in doc]), doc)

examples = [example(row) for row in words]
nlp.initialize(lambda: examples)

def step(batch):
    pipe.update(batch, drop=0.3)
    for parameter in pipe.shim.module.parameters():
        parameter.grad = None

def memory(name):
    # Not by getrusage, whose peak may be that of the process that started this one.
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(name + r":\\s+(\\d+)", file.read())[1])

step(examples[:2])
before = memory("VmRSS")
step(examples)
measured = memory("VmHWM") - before
optimizer = spacy.registry.get("optimizers", "spacy_rnn.AdamW.v1")()
found = estimate_memory(pipe, [examples, examples[:100]], 0.3, optimizer, lambda examples: None)
assert found.batch == 16000 > MOST_TOKENS
print(measured, found.activations + found.gradients)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_activations_are_close_to_those_measured_in_a_fresh_process():
    output = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    ).stdout
    measured, estimated = map(int, output.split())
    assert measured > 50e6
    assert measured / 2 < estimated < 2 * measured
