"""Answers on disk are in shards, can be resumed, and are complete up to the last shard."""

import errno
import json
from hashlib import sha1

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_rnn.distillation import answering, held_out
from spacy_rnn.distillation.answering import (
    Counts,
    answer_texts,
    check_answers,
    check_gold,
    checksum_of,
)
from spacy_rnn.distillation.teachers import Teacher, Teachers
from spacy_rnn.features.soft_labels import soft_labels_of

from ..helpers.pipelines import make_doc, make_pipeline, make_trained

TEXTS = [f"I like {n} eggs" for n in range(5, 30)]
SETTINGS = {"teachers": ["x"]}


@pytest.fixture(autouse=True)
def short_shards(monkeypatch):
    monkeypatch.setattr(answering, "SHARD", 10)


def make_teachers(name="rnn_tagger"):
    return Teachers([Teacher(make_trained(name))])


def run(folder, texts=TEXTS, teachers=make_teachers, settings=SETTINGS, **options):
    return answer_texts(folder, settings, teachers, texts, **options)


def raising(error):
    yield TEXTS[0]
    raise error


def read(folder):
    nlp = spacy.blank("xx")
    return {
        part: [
            doc
            for path in sorted((folder / part).glob("*.spacy"))
            for doc in DocBin().from_disk(path).get_docs(nlp.vocab)
        ]
        for part in ("train", "held-out", "gold")
    }


def test_texts_are_answered_and_some_are_held_out(tmp_path):
    numbers = []

    def progress(shards):
        for n in shards:
            numbers.append(n)
            yield n

    counts = run(tmp_path, progress=progress)
    assert counts == Counts(train=23, held_out=2) and numbers == [10, 10, 5]
    found = read(tmp_path)
    by_hash = sorted(TEXTS[:10], key=lambda t: sha1(t.replace(" ", "").encode()).hexdigest())
    held_out = [doc.text for doc in found["held-out"]]
    assert by_hash[0] in held_out and not set(by_hash[1:]) & set(held_out)
    assert [doc.text for doc in found["train"]] == [t for t in TEXTS if t not in held_out]
    assert all(doc.has_annotation("TAG") and soft_labels_of(doc)["tag"] for doc in found["train"])


def test_no_more_texts_are_held_out_than_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(held_out, "MOST", 1)
    assert run(tmp_path).held_out == 1


def test_equal_texts_are_held_out_together(tmp_path):
    run(tmp_path, TEXTS * 2)
    found = {part: [doc.text for doc in docs] for part, docs in read(tmp_path).items()}
    assert len(found["held-out"]) == 4 == 2 * len(set(found["held-out"]))
    assert not set(found["held-out"]) & set(found["train"])
    with_spaces = TEXTS + [text.replace(" ", "  ") for text in TEXTS]
    assert run(tmp_path / "spaces", with_spaces).held_out == 4


def test_too_few_texts_are_noticed_before_they_are_answered(tmp_path):
    for texts in (TEXTS[:9], TEXTS[:1] * 30):
        with pytest.raises(ValueError, match="Give ten different texts or more that --gold"):
            run(tmp_path, texts, lambda: pytest.fail("loaded"), needs_held_out=True)


def test_gold_documents_keep_their_labels(tmp_path):
    vocab = spacy.blank("xx").vocab
    gold = [make_doc(vocab, "I like it", tags="A B C")]
    assert run(tmp_path, gold=gold).gold == 1
    (doc,) = read(tmp_path)["gold"]
    assert [token.tag_ for token in doc] == ["A", "B", "C"]
    assert "PRP" in soft_labels_of(doc)["tag"].labels


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.EIO, "The file is gone")])
def test_an_interrupted_run_is_resumed(tmp_path, stop):
    run(tmp_path / "whole")
    read_texts = []

    def texts(until):
        for i, text in enumerate(TEXTS):
            if i == until:
                raise stop
            yield text

    def teachers():
        found = make_teachers()
        answer = found.answer
        found.answer = lambda texts: (read_texts.extend(texts), answer(texts))[1]
        return found

    expected = KeyboardInterrupt if stop is KeyboardInterrupt else OSError
    with pytest.raises(expected, match=None if stop is KeyboardInterrupt else "The file is gone"):
        run(tmp_path / "cut", texts(15), teachers)
    assert len(read(tmp_path / "cut")["train"]) == 9
    assert run(tmp_path / "cut", TEXTS, teachers) == Counts(train=23, held_out=2)
    # Nothing is answered twice.
    assert read_texts == TEXTS
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.spacy")}
        for folder in (tmp_path / "whole", tmp_path / "cut")
    ]
    assert files[0] == files[1]


def test_a_full_disk_keeps_earlier_answers(tmp_path, monkeypatch):
    to_disk = DocBin.to_disk

    def fail(self, path):
        if "000001" in str(path):
            path.write_bytes(b"part")
            raise OSError(errno.ENOSPC, "No space left on device")
        to_disk(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(DocBin, "to_disk", fail)
        with pytest.raises(OSError, match="answers in it are complete for the first 10 texts"):
            run(tmp_path)
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["000000.spacy"]
    assert run(tmp_path) == Counts(train=23, held_out=2)


def test_a_complete_run_loads_no_teacher(tmp_path):
    counts = run(tmp_path)
    assert run(tmp_path, teachers=lambda: pytest.fail("loaded")) == counts


def test_other_settings(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match=r"has answers with other settings \(teachers\)"):
        run(tmp_path, settings={"teachers": ["y"]})
    for content in ("{", "[]", '{"settings": 1, "shards": [], "is_complete": false}'):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(ValueError, match="is damaged"):
            run(tmp_path)


def test_settings_may_change_before_the_first_answers(tmp_path):
    with pytest.raises(ValueError, match="all are empty"):
        run(tmp_path, [""], settings={"texts": "x"})
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ValueError, match="No such text"):
        run(tmp_path, raising(ValueError("No such text")))
    assert run(tmp_path, settings={"texts": "y"}).train == 23


def test_answers_without_a_manifest_are_not_mixed_with_new_ones(tmp_path):
    run(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ValueError, match="has answers, but not 'manifest.json'"):
        run(tmp_path, TEXTS[:12])


@pytest.mark.parametrize("name", ["train/000001.spacy", "held-out/000000.spacy"])
def test_missing_files(tmp_path, name):
    run(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"{name}' is missing, which has answers"):
        run(tmp_path)


def test_texts_that_the_student_does_not_read(tmp_path):
    counts = run(tmp_path, ["I like eggs", "eggs " * 20], max_length=50)
    assert counts == Counts(train=1, too_long=1)


def test_texts_with_gold_labels_are_not_held_out(tmp_path):
    run(tmp_path / "before")
    (held_out, *_) = [doc.text for doc in read(tmp_path / "before")["held-out"]]
    gold = [make_doc(spacy.blank("xx").vocab, held_out, "PRP VBP CD NNS")]
    run(tmp_path / "now", gold=gold)
    found = read(tmp_path / "now")
    assert held_out not in [doc.text for doc in found["held-out"]]
    assert held_out in [doc.text for doc in found["train"]]


def test_texts_that_are_left_out(tmp_path):
    teachers = make_teachers()
    teachers.teachers[0].nlp.max_length = 50
    texts = ["", " \n", "I like eggs", "eggs " * 20]
    counts = run(tmp_path, texts, lambda: teachers)
    assert counts == Counts(train=1, empty=2, too_long=1)


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_nothing_to_answer(tmp_path, texts):
    with pytest.raises(ValueError, match="There are no texts to answer, or all are empty"):
        run(tmp_path, texts)


@pytest.mark.slow
def test_a_million_tokens(tmp_path):
    teachers = make_teachers()
    teachers.teachers[0].nlp.max_length = 10**7
    assert run(tmp_path, ["eggs " * 1_000_000], lambda: teachers).train == 1
    (doc,) = read(tmp_path)["train"]
    assert len(doc) == 1_000_000 == len(soft_labels_of(doc)["tag"].probabilities)


def test_new_words_are_forgotten(tmp_path):
    teachers = make_teachers()
    nlp = teachers.teachers[0].nlp
    run(tmp_path, ["I like eggs"] * 10, lambda: teachers)
    n_strings = len(nlp.vocab.strings)
    run(tmp_path / "more", [f"I like eggs{n} too{n}" for n in range(100)], lambda: teachers)
    assert len(nlp.vocab.strings) == n_strings


def test_answers_that_the_student_needs():
    teachers = make_teachers()
    docs = list(teachers.answer(["I like eggs"]))
    check_answers(make_pipeline("rnn_tagger"), lambda: teachers, docs)
    message = r"'rnn_ner' learns from doc.ents, which it does not set \(its components: rnn_tagger"
    with pytest.raises(ValueError, match=message):
        check_answers(make_pipeline("rnn_ner"), lambda: teachers, docs)


def test_gold_labels_that_the_student_needs():
    nlp = make_pipeline("rnn_tagger")
    tagged, plain = (make_doc(nlp.vocab, "I like eggs", tags) for tags in ("PRP VBP NNS", None))
    check_gold(nlp, [Example(plain, plain), Example(tagged, tagged)], "gold.spacy")
    with pytest.raises(ValueError, match="'gold.spacy' has no token.tag, of which the student"):
        check_gold(nlp, [Example(plain, plain)], "gold.spacy")


def test_the_first_answers_are_checked(tmp_path):
    found = []
    run(tmp_path, check=found.append)
    assert len(found) == 1 and len(found[0]) == 10


def test_checksums(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("x", "y"):
        (tmp_path / "a" / name).write_text("1")
    before = checksum_of(tmp_path / "a")
    assert checksum_of(None) is None and before == checksum_of(tmp_path / "a")
    (tmp_path / "a" / "y").rename(tmp_path / "a" / "z")
    assert checksum_of(tmp_path / "a") != before
    assert json.dumps(before)
