"""Processes that are forked while other threads are running."""

import ast
import contextlib
import multiprocessing
import os
import threading
import time
from itertools import count

import pytest

from spacy_rnn import forks
from spacy_rnn.features.subwords import SubwordModel
from spacy_rnn.runtime.process import prepare_process

from .helpers.paths import ROOT
from .helpers.pipelines import SENTENCES, make_examples, make_tagger, train
from .helpers.processes import PATIENCE, kill_children

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(scope="module", autouse=True)
def prepared():
    """Prepare the process, as a network does."""
    prepare_process()


@pytest.fixture(scope="module")
def nlp():
    nlp = make_tagger()
    train(nlp, make_examples(nlp), steps=2)
    return nlp


@contextlib.contextmanager
def in_another_thread(work):
    """Repeat the work in another thread while the block runs."""
    stopped = threading.Event()

    def run():
        while not stopped.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def ends(work):
    """Whether a forked child finishes the work."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(PATIENCE)
    ended = child.exitcode == 0
    if child.exitcode is None:
        child.kill()
        child.join()
    return ended


def predict_new_words(nlp, numbers):
    """Predict words that are not in the cache, which are looked up by one thread at a time."""
    nlp(" ".join(f"w{next(numbers)}" for _ in range(20)))


@pytest.mark.slow
def test_children_of_a_process_that_predicts(nlp):
    numbers = count()
    with in_another_thread(lambda: predict_new_words(nlp, numbers)):
        for _ in range(50):
            assert ends(lambda: predict_new_words(nlp, numbers))


def test_processes_of_pipe_beside_a_thread_that_predicts(nlp):
    numbers, found = count(), []

    def pipe():
        for _ in range(5):
            texts = [f"w{next(numbers)} eggs" for _ in range(8)]
            found.extend(nlp.pipe(texts, n_process=2, batch_size=2))

    with in_another_thread(lambda: predict_new_words(nlp, numbers)):
        piping = threading.Thread(target=pipe, daemon=True)
        piping.start()
        piping.join(PATIENCE)
        kill_children()
    assert len(found) == 40


@pytest.mark.slow
def test_children_of_a_process_that_samples_pieces():
    pieces = SubwordModel(vocab_size=40)
    texts = [sentence[0] for sentence in SENTENCES]
    pieces.train(texts)
    with in_another_thread(lambda: pieces.sample(texts, 0.1, 0)):
        for _ in range(50):
            assert ends(lambda: pieces.sample(texts, 0.1, 0))


@contextlib.contextmanager
def computing_elsewhere(seconds):
    """Let another thread hold its lock, as if it computed, for this many seconds."""
    inside, done = threading.Event(), []

    def run():
        with forks.computing.lock:
            inside.set()
            time.sleep(seconds)
            done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    inside.wait()
    yield done
    thread.join()


def compute():
    with forks.computing.lock:
        pass


def test_a_fork_waits_until_other_threads_have_computed():
    with computing_elsewhere(0.2) as done:
        assert ends(compute) and done


def test_a_fork_does_not_wait_forever(monkeypatch):
    monkeypatch.setattr(forks, "PATIENCE", 0.01)
    with computing_elsewhere(0.5) as done:
        assert ends(compute) and not done
    compute()


def test_a_thread_that_computes_may_fork():
    with forks.computing.lock:
        assert ends(compute)
        compute()
    assert ends(compute)


def test_all_locks_are_made_in_one_place():
    """Locks are created only in the module that replaces them in a forked child."""
    makers = {}
    for path in (ROOT / "spacy_rnn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            of_threading = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if of_threading and node.value.id in ("threading", "multiprocessing"):
                makers.setdefault(node.attr, set()).add(path.name)
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in ("threading", "multiprocessing", "queue"), path
                # Before Python 3.12 all instances of a class share its lock.
                if any(alias.name == "cached_property" for alias in node.names):
                    makers.setdefault("cached_property", set()).add(path.name)
    assert makers == {
        "Lock": {"forks.py"},
        "RLock": {"forks.py"},
        "local": {"forks.py"},
        # In training corpora, which no child process reads.
        "cached_property": {"columns.py", "corpus.py", "data_file.py", "hf_dataset.py"},
        # In the service: workers start no processes, and the process that starts the workers
        # computes nothing.
        "Condition": {"batches.py"},
        "Event": {"server.py"},
        "Pipe": {"server.py"},
        "Thread": {"batches.py", "server.py"},
        "get_context": {"server.py"},
    }
