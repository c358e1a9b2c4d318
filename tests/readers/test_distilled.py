"""The reader of a teacher's answers."""

import json
import math

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_rnn.features.soft_labels import SoftLabels, one_hot, set_soft_labels, soft_labels_of
from spacy_rnn.readers.distilled import Distilled

from ..helpers.pipelines import make_doc, make_pipeline

NLP = spacy.blank("xx")


def save(path, *docs):
    path.parent.mkdir(exist_ok=True, parents=True)
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def answer(words="I like ham", tags="PRP VBP NN", **soft):
    doc = make_doc(NLP.vocab, words, tags)
    set_soft_labels(doc, soft)
    return doc


def read_json(tmp_path, *records, **settings):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
    return [eg.reference for eg in Distilled(path, **settings)(spacy.blank("xx"))]


def test_folders_and_files(tmp_path):
    for name in ("1", "0"):
        save(tmp_path / f"{name}.spacy", answer(tags=" ".join(name * 3)))
    examples = list(Distilled(tmp_path)(NLP))
    assert [eg.reference[0].tag_ for eg in examples] == ["0", "1"]
    assert not examples[0].predicted.has_annotation("TAG")
    (tmp_path / ".tmp.2.spacy").write_bytes(b"part")
    assert len(list(Distilled(tmp_path)(NLP))) == 2
    assert len(list(Distilled(tmp_path / "0.spacy")(NLP))) == 1
    assert len(list(Distilled(tmp_path, limit=1)(NLP))) == 1


def test_gold_examples_have_a_share(tmp_path):
    soft = one_hot(["NN", "VB", "NN"])
    save(tmp_path / "train/0.spacy", answer(tag=soft), answer(tag=soft), answer(tag=soft))
    save(tmp_path / "gold/0.spacy", answer(tags="X Y Z", tag=soft))
    reader = Distilled(
        tmp_path / "train",
        gold=tmp_path / "gold",
        share=0.3,
        temperature=2.0,
        labels={"tag": {"VB": "V"}},
    )
    docs = [eg.reference for eg in reader(NLP)]
    found = [soft_labels_of(doc)["tag"] for doc in docs]
    assert [each.share for each in found] == [1.0, 0.3, 1.0, 1.0]
    assert {each.temperature for each in found} == {2.0}
    # The teacher's labels are renamed, gold labels are not.
    assert all(each.labels == ("NN", "V") for each in found)
    assert [token.tag_ for token in docs[1]] == ["X", "Y", "Z"]


def test_labels_are_renamed_merged_and_left_out(tmp_path):
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]])
    doc = answer(tags="A C B", tag=SoftLabels(("A", "B", "C"), p))
    path = save(tmp_path / "0.spacy", doc)
    (eg,) = Distilled(path, labels={"tag": {"A": "X", "B": "X", "*": None}})(NLP)
    assert [token.tag_ for token in eg.reference] == ["X", "", "X"]
    soft = soft_labels_of(eg.reference)["tag"]
    assert soft.labels == ("X",)
    assert soft.probabilities[:, 0] == pytest.approx([0.8, 0.3, 1.0])


def test_entities_are_renamed_and_left_out(tmp_path):
    doc = make_doc(NLP.vocab, "I like ham", ents="B-PER O B-FOOD")
    p = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.1, 0.0, 0.9]])
    set_soft_labels(doc, {"ner": SoftLabels(("O", "U-PER", "U-FOOD"), p)})
    path = save(tmp_path / "0.spacy", doc)
    (eg,) = Distilled(path, labels={"ner": {"PER": "PERSON", "*": None}})(NLP)
    assert [(e.text, e.label_) for e in eg.reference.ents] == [("I", "PERSON")]
    assert [token.ent_iob_ for token in eg.reference] == ["B", "O", "O"]
    soft = soft_labels_of(eg.reference)["ner"]
    assert soft.columns(("O", "U-PERSON"))[2] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize(
    "target, label", [("tag", "NN"), ("pos", "NOUN"), ("morph", "A=B"), ("ner", "X"), ("cats", "Y")]
)
def test_label_names_that_no_text_has_are_a_warning(tmp_path, caplog, target, label):
    doc = make_doc(NLP.vocab, "ham", "NN", "NOUN", "A=B", ents="B-X")
    doc.cats = {"Y": 1.0}
    reader = Distilled(save(tmp_path / "0.spacy", doc), labels={target: {label: None, "X!": None}})
    for _ in range(2):
        list(reader(NLP))
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert f"labels.{target} names 'X!', which no text has" in warning


def test_labels_of_texts_are_merged(tmp_path):
    for values, merged in (([0.2, 0.3, 0.5], 0.5), ([0.9, 0.7, 0.1], 0.9)):
        doc = answer(cats=SoftLabels(("A", "B", "C"), np.array(values)))
        path = save(tmp_path / "0.spacy", doc)
        (eg,) = Distilled(path, labels={"cats": {"A": "X", "B": "X"}})(NLP)
        soft = soft_labels_of(eg.reference)["cats"]
        assert soft.columns(("X", "C")) == pytest.approx([merged, values[2]])


def test_morphology_and_parts_of_speech(tmp_path):
    doc = make_doc(NLP.vocab, "I eat", pos="PRON VERB", morphs="Number=Sing _")
    path = save(tmp_path / "0.spacy", doc)
    maps = {"morph": {"Number=Sing": "_"}, "pos": {"VERB": "X"}}
    (eg,) = Distilled(path, labels=maps)(NLP)
    assert [str(token.morph) for token in eg.reference] == ["", ""]
    assert [token.pos_ for token in eg.reference] == ["PRON", "X"]


def test_json_lines_of_all_tasks(tmp_path):
    record = {
        "text": "I like  ham",
        "tokens": ["I", "like", "ham"],
        "tags": ["PRP", "VBP", "NN"],
        "pos": ["PRON", "VERB", "NOUN"],
        "morph": ["Number=Sing", "", ""],
        "ents": [{"start": 8, "end": 11, "label": "FOOD"}],
        "cats": {"LIKE": 0.9, "EAT": 0.1},
    }
    (doc,) = read_json(tmp_path, record)
    words = [token for token in doc if not token.is_space]
    assert [token.tag_ for token in words] == record["tags"]
    assert [token.pos_ for token in words] == record["pos"]
    assert [str(token.morph) for token in words] == record["morph"]
    assert [(e.text, e.label_) for e in doc.ents] == [("ham", "FOOD")]
    assert doc.cats == {"LIKE": 1.0, "EAT": 0.0}
    assert soft_labels_of(doc)["cats"].columns(("EAT", "LIKE")) == pytest.approx([0.1, 0.9])


def test_json_lines_with_probabilities(tmp_path):
    record = {
        "text": "I like ham",
        "tokens": ["I", "like", "ham"],
        "soft_labels": {
            "tag": [{"PRP": 0.9, "NN": 0.1}, {"VBP": 1.0}, {"NN": 0.6, "VBP": 0.4}],
            "ner": [{"O": 1.0}, {"B-FOOD": 0.7, "O": 0.3}, {"I-FOOD": 0.7, "O": 0.3}],
            "cats": {"LIKE": 0.9, "RUDE": 0.8},
        },
    }
    (doc,) = read_json(tmp_path, record)
    # The most probable labels.
    assert [token.tag_ for token in doc] == ["PRP", "VBP", "NN"]
    assert [(e.text, e.label_) for e in doc.ents] == [("like ham", "FOOD")]
    assert doc.cats == {"LIKE": 1.0, "RUDE": 1.0}
    assert soft_labels_of(doc)["tag"].columns(("NN",))[:, 0] == pytest.approx([0.1, 0.0, 0.6])


def tagged(*rows, target="tag"):
    return {"text": "She eats", "tokens": ["She", "eats"], "soft_labels": {target: rows}}


def test_rounded_probabilities_are_normalized(tmp_path):
    (doc,) = read_json(tmp_path, tagged({"A": 0.333, "B": 0.333, "C": 0.333}, {}))
    p = soft_labels_of(doc)["tag"].probabilities
    assert p == pytest.approx(np.array([[1 / 3] * 3, [0] * 3]))


@pytest.mark.parametrize(
    "record, message",
    [
        ([], "Line 1 of .*: it is not an object with a 'text'"),
        ({"text": "I", "tags": ["PRP"]}, "it has labels of tokens, but no 'tokens'"),
        ({"text": "I", "tokens": ["I"], "tags": []}, "'tags' has 0 values for 1 tokens"),
        ({"text": "I", "tokens": ["You"]}, "Line 1 of"),
        ({"text": "I", "cats": {"A": 2.0}, "soft_labels": {"cats": 1}}, "'cats' must be a dict"),
        ({"text": "I", "ents": [[0, 9, "A"]]}, "is not in the text"),
        ({"text": "I", "cats": {"A": math.nan, "B": 0.9}}, "A = nan, which is not a probability"),
        ({"text": "I", "cats": {"A": 55, "B": 45}}, "A = 55, which is not a probability"),
        ({"text": "I", "cats": ["A"]}, "'cats' must be a dict"),
        ({"text": "I", "cats": []}, "'cats' must be a dict"),
        ({"text": "I a", "tokens": "Ia", "tags": ["A", "B"]}, "'tokens' must be a list of str"),
        ({"text": "I a", "tokens": ["I", "a"], "tags": "AB"}, "'tags' must be a list of strings"),
        ({"text": "I", "tokens": ["I"], "tags": [None]}, "'tags' must be a list of strings"),
        (tagged({"X!": 1}, {}, target="pos"), "Line 1 of .*'pos' has 'X!', which token.pos"),
        ({"text": "I", "soft_labels": [1]}, r"Line 1 of .*: Soft labels .* \[1\] is not a dict"),
        (tagged({"A": 1.0}), "Line 1 of .*'tag' has 1 values for 2 tokens"),
        (tagged(*[{"A": 1.0}] * 3), "'tag' has 3 values for 2 tokens"),
        (tagged({"A": 1.0}, {"A": 0.9, "B": 0.9}), "of 'tag' of token 2 sum to 1.8, not to 1"),
        (tagged({"A": 0.2, "B": 0.1}, {}), "of 'tag' of token 1 sum to 0.3, not to 1"),
        (tagged({"X-FOO": 0.5, "O": 0.5}, {}, target="ner"), "'X-FOO', which is not a tag of"),
    ],
)
def test_malformed_json(tmp_path, record, message):
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path, record)


@pytest.mark.parametrize("words", [["a", " ", "\n", "b"], ["a", "\n", "b"], ["a", "b"]])
def test_white_space_may_be_tokenized_differently(tmp_path, words):
    tags = [{"a": "A", "b": "B"}.get(word, "_SP") for word in words]
    soft = [{"A": 1.0} if word == "a" else {"B": 1.0} if word == "b" else {} for word in words]
    record = {"text": "a \n b", "tokens": words, "tags": tags, "soft_labels": {"tag": soft}}
    (doc,) = read_json(tmp_path, record)
    assert [token.tag_ for token in doc] == ["A", "", "B"]
    p = soft_labels_of(doc)["tag"].columns(["A", "B"])
    assert p.tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]


def test_soft_labels_are_read_before_the_extension_is_known(tmp_path):
    save(tmp_path / "0.spacy", answer(tag=one_hot(["NN", "VB", "NN"])))
    Doc.remove_extension("soft_labels")
    (example,) = Distilled(tmp_path)(NLP)
    assert soft_labels_of(example.reference)["tag"].labels == ("NN", "VB")


def test_labels_of_texts_are_available_to_other_readers(tmp_path):
    docs = [answer(), answer()]
    docs[0].cats, docs[1].cats = {"B": 1.0}, {"A": 1.0, "B": 0.0}
    save(tmp_path / "0.spacy", *docs)
    reader = Distilled(tmp_path, labels={"cats": {"B": "C"}})
    assert reader.label_names == ["A", "C"]
    save(tmp_path / "0.spacy", answer())
    with pytest.raises(ValueError, match="has no labels. Leave labels out"):
        reader.label_names  # noqa: B018


@pytest.mark.parametrize("p, total", [(0.9, 1.8), (0.3, 0.6)])
def test_classes_whose_probabilities_do_not_sum_to_one(tmp_path, p, total):
    cats = ({"GOOD": p, "BAD": p}, {"GOOD": 1, "BAD": 0})
    (tmp_path / "answers.jsonl").write_text(
        "".join(json.dumps({"text": "So so", "cats": each}) + "\n" for each in cats)
    )
    reader, nlp = Distilled(tmp_path / "answers.jsonl"), make_pipeline("rnn_textcat")
    with pytest.raises(ValueError, match=f"So so.*its probabilities sum to {total}, not to 1"):
        nlp.initialize(lambda: reader(nlp))


@pytest.mark.parametrize("gold_preproc", [False, True])
def test_sentences(tmp_path, gold_preproc):
    doc = answer("I like ham You eat", "A B C D E", tag=one_hot(list("ABCDE")))
    for token in doc:
        token.is_sent_start = token.i in (0, 3)
    path = save(tmp_path / "0.spacy", doc)
    settings = {"gold_preproc": True} if gold_preproc else {"max_length": 4}
    examples = list(Distilled(path, **settings)(NLP))
    assert [len(eg.reference) for eg in examples] == [3, 2]
    found = [soft_labels_of(eg.reference)["tag"] for eg in examples]
    assert found[1].columns(("D", "E")) == pytest.approx(np.eye(2))
    # Longer sentences are left out.
    examples = list(Distilled(path, max_length=3, gold_preproc=gold_preproc)(NLP))
    assert [len(eg.reference) for eg in examples] == [2]


def test_tokens_without_an_answer_are_counted(tmp_path, caplog):
    doc = make_doc(NLP.vocab, "a b", tags="A B")
    spaces = [False, True, False]
    joined = Doc(NLP.vocab, words=["I", "'m", "in"], spaces=spaces, tags=["A", "B", "C"])
    path = save(tmp_path / "0.spacy", doc, joined)
    with caplog.at_level("INFO", "spacy.rnn"):
        reader = Distilled(path)
        assert len(list(reader(NLP))) == len(list(reader(NLP))) == 2
    lines = [record.getMessage() for record in caplog.records]
    n_tokens = 2 + len(NLP.make_doc("I'm in"))
    assert lines[0].endswith(f"2 documents with {n_tokens} tokens")
    assert "1 tokens have no answer" in lines[1] and len(lines) == 2


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"share": 1.5}, "'share' is a probability"),
        ({"temperature": 0.0}, "'temperature' must be a number above 0"),
        ({"limit": -1}, "'limit' must be"),
        ({"labels": {"lemma": {}}}, "'labels' maps those of 'lemma'"),
        ({"labels": {"pos": {"A": "NOM"}}}, r"parts of speech to \['NOM'\]"),
        ({"labels": {"cats": {"A": ""}}}, "gives 'A' of 'cats' the name ''. Write null"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Distilled("answers", **settings)


def test_nothing_to_read(tmp_path):
    with pytest.raises(ValueError, match="E913"):
        Distilled(None)
    with pytest.raises(ValueError, match="has no texts with answers"):
        list(Distilled(tmp_path)(NLP))
    with pytest.raises(ValueError, match="has no answers of a teacher, which are in .spacy"):
        list(Distilled(tmp_path / "answers.csv")(NLP))
    with pytest.raises(FileNotFoundError):
        list(Distilled(tmp_path / "answers.spacy")(NLP))


def test_an_entity_of_several_tokens_is_the_most_probable_reading(tmp_path):
    """Tags that cannot follow each other are never chosen together."""
    rows = [{"B-A": 0.6, "O": 0.4}, {"L-A": 0.4, "O": 0.45, "L-B": 0.15}]
    record = {"text": "a b", "tokens": ["a", "b"], "soft_labels": {"ner": rows}}
    (doc,) = read_json(tmp_path, record)
    assert [(e.text, e.label_) for e in doc.ents] == [("a b", "A")]
    assert isinstance(doc.ents[0], Span)
