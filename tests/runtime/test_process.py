"""Importing the package changes nothing in a process; making the first network does, and logging
the first information."""

import json
import logging
import os
import subprocess
import sys

import pytest

from spacy_rnn.log import inform

#: Prints the environment, the levels of loggers and the handlers of forks each time `show` is
#: called.
WATCH = """
import json, logging, os

import spacy, thinc.api, torch, typer, wasabi

handlers = []
os.register_at_fork = lambda **functions: handlers.append(sorted(functions))

def show():
    names = ("", "spacy", "spacy.rnn", "spacy_rnn")
    loggers = {name: logging.getLogger(name).level for name in names}
    print(json.dumps([dict(os.environ), loggers, handlers, torch.get_num_threads()]))

"""
IMPORT_ALL = """
import importlib, pkgutil, spacy_rnn
for found in pkgutil.walk_packages(spacy_rnn.__path__, "spacy_rnn."):
    importlib.import_module(found.name)
"""
BUILD = """
nlp = spacy.blank("xx")
nlp.add_pipe("rnn_tagger")
show()
doc = spacy.tokens.Doc(nlp.vocab, words=["Cats"], tags=["NNS"])
nlp.initialize(lambda: [spacy.training.Example(nlp.make_doc("Cats"), doc)])
show()
nlp.initialize(lambda: [spacy.training.Example(nlp.make_doc("Cats"), doc)])
"""
HANDLERS = ["after_in_child", "after_in_parent", "before"]
CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def shown(code):
    environment = {name: value for name, value in os.environ.items() if name not in CACHES}
    done = subprocess.run(
        [sys.executable, "-c", WATCH + code],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_importing_every_module_changes_nothing():
    before, after = shown(f"show()\n{IMPORT_ALL}\nshow()")
    assert after == before
    assert not before[2]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="there is no fork here")
def test_the_first_network_limits_caches_and_makes_forks_safe():
    before, made, built, again = shown(f"show()\n{BUILD}\nshow()")
    assert made == before and again == built
    environment, _, handlers, threads = built
    assert environment == {**before[0], **dict.fromkeys(CACHES, "64")}
    assert handlers == [HANDLERS, ["after_in_child"]]
    assert threads == before[3]


#: Prints how many threads torch uses in a child, and in a child of a child.
FORK = """
import os, torch
torch.set_num_threads(2)
for _ in range(2):
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        break
    print(torch.get_num_threads(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_children_use_one_thread():
    code = f"import spacy\ndef show(): pass\n{BUILD}\n{FORK}"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1"]


@pytest.fixture
def logger():
    logger = logging.getLogger("spacy.rnn")
    level = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)


def test_information_is_shown_unless_its_logger_has_a_level(logger, caplog):
    inform("%d texts", 3)
    logger.setLevel(logging.WARNING)
    inform("%d texts", 4)
    (record,) = caplog.records
    assert record.getMessage() == "3 texts" and record.filename == "test_process.py"
    assert logger.level == logging.WARNING
