"""Random damage to saved components, and the outcome.

A damaged component must give the answers of the undamaged one, or an error that names it and the
file or the setting. Anything else is a finding: another answer without an error ("silent"), another
exception or a hang ("crashed"), or an error that names nothing ("unclear").
"""

import copy
import json
import random
import signal
from functools import partial
from pathlib import Path

import numpy as np
from spacy.tokens import Doc
from spacy.util import load_model_from_config

from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_trained

#: seconds after which a mutation counts as a hang
PATIENCE = 30
FILES = ("cfg", "model", "checksums")
VALUES = [None, True, -1, 0, 1, 2, 3, 7, 1e30, 10**9, float("nan"), "", "x", "lstm", [], {}, [1]]
#: settings of the model that may change the answers without an error
FREE = {"batch_tokens", "window", "overlap", "max_length", "keep", "mixed_precision"}
DELETED = object()


class Hang(BaseException):
    """Raised in a mutation that takes too long."""


class Subject:
    """A small trained component, saved in a folder.

    factory (str): The component.
    folder (Path): The folder.
    """

    def __init__(self, factory, folder):
        self.kind, self.folder = KINDS[factory], folder
        nlp = make_trained(factory)
        self.pipe, self.config = nlp.get_pipe(factory), nlp.config
        self.docs = [Doc(nlp.vocab, sentence[0].split()) for sentence in SENTENCES]
        self.expected = self.kind.outputs(self.pipe, self.docs)
        # One pipeline of the same shape, and one with another component.
        other = "rnn_ner" if factory == "rnn_tagger" else "rnn_tagger"
        pipelines = [nlp, make_trained(factory, steps=39), make_trained(other)]
        self.files, *self.foreign = (self._save(each, n) for n, each in enumerate(pipelines))
        self._blank = self.kind.make()

    def _save(self, nlp, n):
        folder = self.folder / str(n)
        nlp.get_pipe(nlp.pipe_names[0]).to_disk(folder, exclude=["vocab"])
        return {name: (folder / name).read_bytes() for name in FILES}

    @property
    def blank(self):
        """A component without a network."""
        if self.kind.pipe(self._blank).shim.is_built:
            self._blank = self.kind.make()
        return self.kind.pipe(self._blank)

    def mutate_files(self, rng):
        """Damage one file. Returns the damage and its outcome."""
        name = rng.choice(FILES)
        if rng.random() < 0.15:
            what, data = "swapped", rng.choice(self.foreign)[name]
        else:
            damage = rng.choice([flip, cut, delete, insert, zero, edit_json])
            what, data = damage(rng, self.files[name])
        path = self.folder / "0" / name
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        try:
            load = partial(self.blank.from_disk, path.parent, exclude=["vocab"])
            found = self._outcome(load, [f"'{name}'"])
        finally:
            path.write_bytes(self.files[name])
        return f"{self.kind.factory}: {what} {name}", found

    def mutate_bytes(self, rng):
        """Damage the serialized component."""
        what, data = rng.choice([flip, cut, delete, insert, zero])(rng, self.pipe.to_bytes())
        found = self._outcome(partial(self.blank.from_bytes, data), ["from bytes"])
        return f"{self.kind.factory}: {what} bytes", found

    def mutate_config(self, rng):
        """Change one setting of the component in the config."""
        config = copy.deepcopy(self.config)
        block = config["components"][self.kind.factory]
        path = rng.choice(sorted(leaves(block)))
        # spaCy's registry accepts strings only as the names of functions.
        texts = [value for value in VALUES if isinstance(value, str)]
        value = rng.choice(texts if path[-1].startswith("@") else [DELETED, *VALUES])
        change(block, path, value)

        def load():
            nlp = load_model_from_config(config, auto_fill=True, validate=True)
            return nlp.get_pipe(self.kind.factory).from_disk(self.folder / "0", exclude=["vocab"])

        free = path[0] != "model" or path[-1] in FREE
        what = f"{self.kind.factory}: {'.'.join(path)} = {value!r}"
        return what, self._outcome(load, [path[-1], repr(value), "config.cfg"], free)

    def _outcome(self, load, names, any_answer=False):
        def stop(*_):
            raise Hang

        before = signal.signal(signal.SIGALRM, stop)
        signal.alarm(PATIENCE)
        try:
            pipe = load()
            found = self.kind.outputs(pipe, self.docs)
        except ValueError as error:
            return "noticed" if any(name in str(error) for name in names) else f"unclear: {error}"
        except (Exception, Hang) as error:
            return f"crashed: {type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        same = len(found) == len(self.expected) and all(map(np.array_equal, found, self.expected))
        return "right" if same or any_answer else "silent"


# Damage to bytes


def flip(rng, data):
    damaged = bytearray(data)
    damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return "flipped a bit of", bytes(damaged)


def cut(rng, data):
    return "truncated", data[: rng.randrange(len(data))]


def delete(rng, data):
    if rng.random() < 0.1:
        return "deleted", None if rng.random() < 0.5 else b""
    start = rng.randrange(len(data))
    return "deleted a part of", data[:start] + data[start + rng.randint(1, 16) :]


def insert(rng, data):
    start = rng.randrange(len(data))
    return "inserted into", data[:start] + rng.randbytes(rng.randint(1, 16)) + data[start:]


def zero(rng, data):
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randint(1, 64))
    return "zeroed a part of", data[:start] + bytes(end - start) + data[end:]


def edit_json(rng, data):
    """Change one value of a JSON file, or one bit of another file."""
    try:
        state = json.loads(data)
    except ValueError:
        return flip(rng, data)
    path = rng.choice(sorted(leaves(state)))
    change(state, path, rng.choice([DELETED, *VALUES]))
    if state == json.loads(data):
        return flip(rng, data)
    return f"edited {'.'.join(path)} of", json.dumps(state).encode()


def change(block, path, value):
    """Change or delete the value at a path of nested dictionaries."""
    for key in path[:-1]:
        block = block[key]
    if value is DELETED:
        del block[path[-1]]
    else:
        block[path[-1]] = value


def leaves(block, path=()):
    """The paths of all values in nested dictionaries, and of the dictionaries."""
    for key, value in block.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


def mutate(subjects, n, seed):
    """Mutate components in turn. Yields each damage and its outcome.

    subjects (List[Subject]): The components.
    n (int): The number of mutations.
    seed (int): The random seed.
    """
    rng = random.Random(seed)
    for i in range(n):
        subject = subjects[i % len(subjects)]
        ways = [subject.mutate_files] * 7 + [subject.mutate_bytes, subject.mutate_config]
        yield rng.choice(ways)(rng)


def make_subjects(folder, factories=tuple(KINDS)):
    return [Subject(factory, Path(folder) / factory) for factory in factories]
