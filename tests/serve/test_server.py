"""The command, in separate processes."""

import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy

from spacy_rnn.pipeline.predictions import as_json, predictions_of

from ..helpers.cli import run, shown
from ..helpers.pipelines import SENTENCES, make_trained
from ..helpers.slow import slow_but
from .server import served, start, wait_until

TEXTS = [words for words, *_ in SENTENCES]
#: a component that takes a while for each text
SLOW = """
import time
from spacy.language import Language

@Language.component("test_slow")
def slow(doc):
    time.sleep(0.2)
    return doc
"""
#: a component that always fails
BROKEN = """
from spacy.language import Language

@Language.component("test_broken")
def broken(doc):
    raise RuntimeError("This component is broken.")
"""


def with_component(folder, name, code):
    """The folder of a pipeline with a component, and the option for its code."""
    (folder / "code.py").write_text(code)
    exec(code, {"__name__": "code"})
    nlp = spacy.blank("xx")
    nlp.add_pipe(name)
    nlp.to_disk(folder / "model")
    return folder / "model", "--code", folder / "code.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a pipeline."""
    path = tmp_path_factory.mktemp("model") / "tagger"
    make_trained("rnn_tagger").to_disk(path)
    return path


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """The folder of a pipeline that takes 0.2 seconds for a text, with its code."""
    return with_component(tmp_path_factory.mktemp("slow"), "test_slow", SLOW)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The folder of a pipeline that always fails, with its code."""
    return with_component(tmp_path_factory.mktemp("broken"), "test_broken", BROKEN)


def predict(server, texts):
    return server.client.post("/predict", json={"texts": texts})


def expected(model):
    nlp = spacy.load(model)
    return [json.loads(line) for line in as_json(nlp.pipe(TEXTS), predictions_of(nlp))]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_workers(model):
    """Workers give equal answers, are replaced if they die, share metrics, and stop cleanly."""
    with served(model, "--workers", 2) as server, ThreadPoolExecutor(8) as pool:
        assert len(server.workers) == 2
        found = list(pool.map(lambda _: predict(server, TEXTS).json()["results"], range(40)))
        assert found == [expected(model)] * 40
        total = 'spacy_rnn_requests_total{endpoint="predict",status="200"}'
        assert server.metric(total) == 40
        metrics = server.client.get("/metrics").text
        assert metrics.count("\nspacy_rnn_resident_memory_bytes{") == 2
        killed = server.workers[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in server.workers and len(server.workers) == 2)
        assert predict(server, TEXTS).json()["results"] == expected(model)
        pids = server.workers
        assert server.stop()[0] == 0
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_workers_end_with_their_parent(model):
    with served(model, "--workers", 2) as server:
        pids = server.workers
        server.process.kill()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


@pytest.mark.parametrize("workers", slow_but([2], [1, 2]))
def test_accepted_requests_are_answered_before_the_server_stops(workers, slow):
    options = ("--batch-size", 1, "--workers", workers)
    with served(*slow, *options) as server, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(predict, server, [str(i)]) for i in range(8)]
        counts = ("spacy_rnn_batch_texts_count", "spacy_rnn_queue_texts")
        wait_until(lambda: sum(map(server.metric, counts)) >= 8)
        assert server.stop()[0] == 0
        found = [answer.result().json()["results"] for answer in answers]
        assert found == [[{"text": str(i)}] for i in range(8)]


@pytest.mark.slow
def test_refusals_and_time_outs(slow):
    """The load is many times what the pipeline can handle."""
    limits = ("--batch-size", 1, "--queue-size", 5, "--max-texts", 5, "--timeout", 5)
    with served(*slow, *limits) as server, ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda i: predict(server, [str(i)]), range(30)))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(200) >= 5 and statuses.count(429) >= 15
        assert set(statuses) == {200, 429}
        for answer in answers:
            assert answer.status_code == 200 or int(answer.headers["Retry-After"]) >= 1
            assert answer.status_code == 200 or answer.json()["error"].startswith("Too many texts")
        assert predict(server, ["again"]).json() == {"results": [{"text": "again"}]}
    with served(*slow, "--timeout", 0.5, "--batch-size", 1) as server:
        assert predict(server, ["a"] * 10).status_code == 504
        assert predict(server, ["a"]).status_code == 200


@pytest.mark.slow
def test_incomplete_and_large_bodies_and_a_clean_stop(model):
    """One client sends slowly, one disconnects, and one sends too much."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    with served(model, "--timeout", 1) as server:
        address = server.url.removeprefix("http://").split(":")
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(head)
            assert client.recv(1000).startswith(b"HTTP/1.1 504 ")
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(head)
        answer = server.client.post("/predict", content=b"a" * 10_000_000)
        assert answer.status_code == 413 and "10000000 bytes" in answer.json()["error"]
        answer = server.client.post("/predict", content=b"\xff\xfe")
        assert answer.status_code == 400
        assert predict(server, TEXTS).json()["results"] == expected(model)
        assert server.stop() == (0, "")


@pytest.mark.slow
def test_a_signal_while_the_server_starts(model):
    """The server stops, whenever the signal arrives."""
    for delay in (0.0, 0.2, 0.5):
        with served(model, "--workers", 2) as server:
            os.kill(server.workers[0], signal.SIGKILL)
            timer = threading.Timer(delay, server.process.terminate)
            timer.start()
            timer.join()
            assert server.process.wait(60) == 0


@pytest.mark.parametrize("workers", slow_but([1], [1, 2]))
def test_a_pipeline_that_cannot_predict(workers, broken):
    """The service does not try forever."""
    with start(*broken, "--workers", workers) as process:
        printed = shown(process.communicate(timeout=120)[0])
    assert process.returncode == 1
    assert "This component is broken." in printed and "not start" in printed


def test_options_that_make_no_sense(model, tmp_path):
    printed = run("rnn", "serve", model, "--queue-size", 5, code=1)
    assert "queue must have room" in shown(printed)
    assert "Can't find model" in shown(run("rnn", "serve", tmp_path / "nothing", code=1))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "in use" in shown(run("rnn", "serve", model, "--port", port, code=1))
    printed = run("rnn", "serve", model, "--workers", 2, "--gpu-id", 0, code=1)
    assert "Leave out --workers" in shown(printed)


@pytest.mark.slow
def test_an_ipv6_address(model):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6")
    with served(model, "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert predict(server, TEXTS).status_code == 200
