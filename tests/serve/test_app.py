"""The endpoints of the service, in this process."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy

from spacy_rnn.pipeline.predictions import as_json, predictions_of
from spacy_rnn.serve.app import Settings, make_app
from spacy_rnn.serve.requests import Limits

from ..helpers.pipelines import make_trained
from .models import TEXTS, make_all, make_rules

pytest.importorskip("starlette", reason="needs the extra serve")
from starlette.testclient import TestClient  # noqa: E402

LIMITS = Limits(max_texts=60, max_length=200, max_body=20_000)


@pytest.fixture(scope="module")
def nlp():
    return make_all()


@pytest.fixture(scope="module")
def expected(nlp):
    """The predictions of the pipeline without the service."""
    return [json.loads(line) for line in as_json(nlp.pipe(TEXTS), predictions_of(nlp))]


@pytest.fixture(scope="module")
def client(nlp, expected):
    with TestClient(make_app(nlp, Settings(limits=LIMITS))) as client:
        yield client


def post(client, texts, endpoint="predict"):
    answer = client.post(f"/{endpoint}", json={"texts": texts})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def close(found):
    """The same values, compared up to rounding, which may depend on the batch."""
    if isinstance(found, dict):
        return {key: close(value) for key, value in found.items()}
    if isinstance(found, list):
        return [close(value) for value in found]
    return pytest.approx(found, rel=1e-4, abs=1e-5) if isinstance(found, float) else found


def test_answers_are_those_of_the_pipeline(client, expected):
    found = post(client, TEXTS)
    assert [list(record) for record in found] == [list(record) for record in expected]
    assert found == close(expected)
    assert {"sents", "tokens", "tags", "ents", "cats", "translation"} < expected[0].keys()
    assert post(client, TEXTS[:1]) == close(expected[:1]) and post(client, []) == []


def test_requests_share_batches(nlp, expected):
    """Each request gets the answers to its texts."""
    settings = Settings(batch_wait=0.3, limits=LIMITS)
    with TestClient(make_app(nlp, settings)) as client, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda text: post(client, [text])[0], TEXTS[:16]))
        assert found == close(expected[:16])
        metrics = numbers(client)
    assert metrics["spacy_rnn_batch_texts_sum"] == 16
    assert metrics["spacy_rnn_batch_texts_count"] < 8


def test_attention_and_suggestions(client, nlp):
    (sentences,) = post(client, TEXTS[:1], "attention")
    (alignments,) = nlp.get_pipe("rnn_translator").align([nlp(TEXTS[0])])
    for sentence, alignment in zip(sentences, alignments, strict=True):
        assert sentence["tokens"] == [token.text for token in alignment.source]
        assert sentence["pieces"] == alignment.pieces
        assert sentence["weights"] == [pytest.approx(r, abs=1e-3) for r in alignment.weights]
    assert post(client, ["", "Eggs !"], "attention")[0] == []
    found = post(client, ["I like ", "gr"], "suggest")
    suggested = nlp.get_pipe("rnn_lm").suggest("I like ")
    assert [each["word"] for each in found[0]] == [each.word for each in suggested]
    assert [each["word"] for each in found[1]] == ["green"]


@pytest.mark.parametrize(
    "body, status, message",
    [
        (b"", 400, "not JSON (it is empty). Send a JSON object"),
        (b"I like eggs", 400, "not JSON"),
        (b'{"texts": ["a"', 400, "not JSON"),
        (b"[" * 10_000, 400, "not JSON"),
        (b'{"texts": ["a\xff"]}', 400, "not UTF-8: byte 14 is bad"),
        ('{"texts": ["a"]}'.encode("utf-16"), 400, "not UTF-8"),
        (b"[1]", 422, 'must be a JSON object {"texts": [...]}, got [1].'),
        (b"null", 422, "got null."),
        (b"{}", 422, "got {}."),
        (b'{"text": "a"}', 422, 'got {"text": "a"}.'),
        (b'{"texts": "a"}', 422, 'got {"texts": "a"}.'),
        (b'{"texts": ["a"], "other": 1}', 422, '"other": 1'),
        (b'{"texts": ["a", 3]}', 422, "Text 2 must be a string, got 3."),
        (b'{"texts": ["a", null]}', 422, "Text 2 must be a string, got null."),
        (b'{"texts": ["a", ["b"]]}', 422, 'Text 2 must be a string, got ["b"].'),
        (b'{"texts": ["\\ud83c"]}', 422, "Text 1 has half of a surrogate pair"),
        (json.dumps({"texts": ["a"] * 61}).encode(), 422, "61 texts; at most 60 are allowed"),
        (json.dumps({"texts": ["a" * 201]}).encode(), 422, "201 characters; at most 200 are"),
    ],
)
def test_bad_requests_are_refused(body, status, message, client):
    for endpoint in ("predict", "attention", "suggest"):
        answer = client.post(f"/{endpoint}", content=body)
        assert answer.status_code == status
        assert message in answer.json()["error"] and len(answer.json()["error"]) < 300


def test_a_body_that_is_too_long(client):
    answer = client.post("/predict", json={"texts": ["a" * 10_000_000]})
    assert answer.status_code == 413 and "at most 20000 are allowed" in answer.json()["error"]


def test_a_body_of_unknown_length_that_is_too_long(client):
    answer = client.post("/predict", content=(b"a" * 1000 for _ in range(30)))
    assert answer.status_code == 413 and "30000 bytes" in answer.json()["error"]


def test_other_methods_and_paths(client):
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").status_code == 404


def test_health_info_and_page(client, nlp):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    info = client.get("/info").json()
    assert info["components"] == nlp.pipe_names and info["limits"]["max_texts"] == 60
    assert info["endpoints"] == ["predict", "attention", "suggest"]
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"https?://", page.text)


def numbers(client):
    """The metrics, by name with labels."""
    lines = client.get("/metrics").text.splitlines()
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"
    }


def test_metrics(nlp):
    with TestClient(make_app(nlp, Settings(limits=LIMITS))) as client:
        post(client, TEXTS[:3])
        assert client.post("/predict", content=b"").status_code == 400
        found = numbers(client)
    assert found['spacy_rnn_requests_total{endpoint="predict",status="200"}'] == 1
    assert found['spacy_rnn_requests_total{endpoint="predict",status="400"}'] == 1
    assert found['spacy_rnn_request_seconds_count{endpoint="predict"}'] == 2
    assert found['spacy_rnn_request_seconds_bucket{endpoint="predict",le="+Inf"}'] == 2
    assert found["spacy_rnn_batch_texts_sum"] == 3 and found["spacy_rnn_queue_texts"] == 0
    assert found["spacy_rnn_resident_memory_bytes"] > 1e7


def test_other_pipelines(client):
    with TestClient(make_app(make_rules(), Settings())) as other:
        (found,) = post(other, ["I eat ham. You too."])
        assert list(found) == ["text", "sents", "ents"]
        assert found["sents"] == [{"start": 0, "end": 10}, {"start": 11, "end": 19}]
        assert found["ents"] == [{"start": 6, "end": 9, "label": "FOOD", "text": "ham"}]
        answer = other.post("/suggest", json={"texts": ["a"]})
        assert answer.status_code == 404
        assert answer.json()["error"] == "The pipeline has no language model that suggests words."
    with TestClient(make_app(spacy.blank("en"), Settings())) as other:
        assert post(other, ["a"]) == [{"text": "a"}]


def test_a_network_without_attention():
    nlp = make_trained("rnn_lm")
    with TestClient(make_app(nlp, Settings())) as client:
        assert client.get("/info").json()["endpoints"] == ["predict", "suggest"]
        assert "translator" in client.post("/attention", json={"texts": ["a"]}).json()["error"]


def test_memory_does_not_grow_with_new_words(nlp, client):
    post(client, ["warm up"])
    before = len(nlp.vocab.strings)
    for i in range(20):
        post(client, [f"new{i}word{j} other{i}word{j}" for j in range(20)])
    assert len(nlp.vocab.strings) == before


# Pipelines that are slow or fail


class Gate:
    """A component that waits for an event, and fails for some texts."""

    def __init__(self):
        self.open = threading.Event()

    def __call__(self, doc):
        assert self.open.wait(60)
        if doc.text == "bad":
            raise KeyError("secret")
        return doc


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def gated(gate):
    nlp = spacy.blank("xx")
    spacy.Language.component("test_gate", func=gate)
    nlp.add_pipe("test_gate")
    gate.open.set()
    return nlp


def test_a_text_that_fails_does_not_fail_others(gated):
    settings = Settings(batch_wait=0.3)
    with (
        TestClient(make_app(gated, settings), raise_server_exceptions=False) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        send = lambda text: client.post("/predict", json={"texts": [text]})  # noqa: E731
        answers = list(pool.map(send, ["good", "bad", "good"]))
        assert [answer.status_code for answer in answers] == [200, 500, 200]
        error = answers[1].json()["error"]
        assert "The pipeline failed" in error and "secret" not in error
        assert post(client, ["good"]) == [{"text": "good"}]


def test_requests_that_take_too_long(gated, gate):
    with TestClient(make_app(gated, Settings(timeout=1))) as client:
        gate.open.clear()
        answer = client.post("/predict", json={"texts": ["a"] * 70})
        assert answer.status_code == 504
        assert answer.json()["error"] == "There was no answer within 1 seconds."
        # Texts that were not started are removed from the queue.
        assert numbers(client)["spacy_rnn_queue_texts"] == 0
        gate.open.set()
        assert post(client, ["a"]) == [{"text": "a"}]


def test_a_full_queue_refuses_requests(gated, gate):
    settings = Settings(batch_size=1, queue_size=10, limits=Limits(max_texts=10))
    with TestClient(make_app(gated, settings)) as client, ThreadPoolExecutor(12) as pool:
        gate.open.clear()
        waiting = [pool.submit(post, client, ["a"]) for _ in range(11)]
        while numbers(client)["spacy_rnn_queue_texts"] < 10:
            pass
        answer = client.post("/predict", json={"texts": ["a"]})
        assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "Too many texts are waiting" in answer.json()["error"]
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
        gate.open.set()
        assert [each.result() for each in waiting] == [[{"text": "a"}]] * 11
        assert client.get("/ready").status_code == 200
        assert post(client, ["a"] * 10) == [{"text": "a"}] * 10


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="queue must have room"):
        Settings(queue_size=10)
    with pytest.raises(ValueError, match="batch_size"):
        Settings(batch_size=0)
    with pytest.raises(ValueError, match="max_length"):
        Limits(max_length=0)
    with pytest.raises(ValueError, match="timeout"):
        Settings(timeout=0)


def test_missing_libraries_are_named(hide):
    hide("starlette")
    with pytest.raises(ImportError, match=r"The service needs .* \"spacy-rnn\[serve\]\""):
        make_app(spacy.blank("xx"), Settings())
