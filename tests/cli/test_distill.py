"""python -m spacy rnn distill."""

import gzip
import json
import os
import signal
from hashlib import sha1
from string import ascii_uppercase

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin

from ..helpers.cli import run, shown
from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_pipeline, make_trained

#: texts that are all different
TEXTS = [f"{words} {end}" for words, *_ in SENTENCES for end in ("ham", "eggs", ".", "I", "one")]


def write_config(path, name, labels=None, **training):
    """Write the config of a small student, which learns from answers."""
    nlp = make_pipeline(name)
    config = nlp.config.copy()
    config["components"] = {name: nlp.get_pipe_config(name)}
    reader = {"@readers": "spacy.Corpus.v1", "path": None}
    config["corpora"] = {"train": reader, "dev": reader}
    config["training"].update({"max_steps": 60, "eval_frequency": 20, "seed": 1, **training})
    config["training"]["optimizer"] = {"@optimizers": "spacy_rnn.AdamW.v1", "learn_rate": 0.03}
    if labels is not None:
        config["initialize"]["components"] = {name: {"labels": labels}}
    config.to_disk(path)
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "texts.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf8"
    )
    return tmp_path


def save(nlp, path):
    nlp.to_disk(path)
    return path


def save_gold(folder):
    docs = [eg.reference for eg in make_examples(spacy.blank("xx"))]
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "gold.spacy")
    return folder / "gold.spacy"


def distill(folder, name, *options, teacher=None, **expected):
    teacher = save(make_trained(name), folder / "teacher") if teacher is None else teacher
    config = folder / "student.cfg"
    if not config.exists():
        write_config(config, name)
    texts = (
        () if str(teacher).endswith((".spacy", ".jsonl")) else ("--texts", folder / "texts.jsonl")
    )
    output = ("--output", folder / "out")
    return shown(run("rnn", "distill", teacher, config, *texts, *output, *options, **expected))


AGREEMENT = {
    "rnn_tagger": "tag_acc",
    "rnn_ner": "ents_f",
    "rnn_textcat": "cats_micro_f",
    "rnn_textcat_multilabel": "cats_micro_f",
    "rnn_regressor": "pearson",
}


@pytest.mark.parametrize("name", AGREEMENT)
def test_a_student_agrees_with_its_teacher(name, folder):
    gold = save_gold(folder)
    printed = distill(folder, name, "--dev", gold, "--gold", gold)
    report = json.loads((folder / "out/report.json").read_text())
    assert report["texts"] == {"train": 18, "held_out": 2, "gold": 4, "empty": 0, "too_long": 0}
    assert report["agreement"][AGREEMENT[name]] > 0.85
    assert report["tokens_without_answer"] == 0
    for scores in report["gold"].values():
        assert scores[AGREEMENT[name]] > 0.9
    pipelines = report["pipelines"]
    assert pipelines.keys() == {"student", str(folder / "teacher")}
    assert all(found["bytes"] > 1000 and found["words"] > 1 for found in pipelines.values())
    for text in ("words/s", "student on gold", "teacher on gold", "4 with gold labels"):
        assert text in printed
    student = spacy.load(folder / "out/model-best")
    assert student.pipe_names == [name]


def test_held_out_answers_select_the_best_model(folder):
    printed = distill(folder, "rnn_tagger", "--corpora.train.temperature", "2.0")
    assert "on gold" not in printed
    report = json.loads((folder / "out/report.json").read_text())
    # The held-out texts were not used in training.
    assert report["agreement"]["tag_acc"] > 0.85 and "gold" not in report
    config = spacy.load(folder / "out/model-best").config["corpora"]
    assert {config[name]["@readers"] for name in config} == {"spacy_rnn.Distilled.v1"}
    assert config["train"]["temperature"] == 2.0
    assert "held-out" in config["dev"]["path"]


def test_answers_are_kept(folder):
    distill(folder, "rnn_tagger", "--no-train")
    assert not (folder / "out/model-best").exists()
    shard = folder / "out/answers/train/000000.spacy"
    written = shard.stat().st_mtime_ns
    distill(folder, "rnn_tagger", "--training.max_steps", "2", teacher=folder / "teacher")
    assert shard.stat().st_mtime_ns == written
    printed = distill(folder, "rnn_textcat", "--no-train", code=1)
    assert "has answers with other settings (teachers). Choose another output folder" in printed


def test_several_teachers(folder):
    other = save(make_trained("rnn_textcat", steps=2), folder / "other")
    distill(folder, "rnn_textcat", "--teacher", other)
    report = json.loads((folder / "out/report.json").read_text())
    assert report["pipelines"].keys() == {"student", str(folder / "teacher"), str(other)}


@pytest.mark.parametrize("ending", [".spacy", ".jsonl"])
def test_labels_from_a_file(ending, folder):
    path = folder / f"answers{ending}"
    if ending == ".spacy":
        vocab = spacy.blank("xx").vocab
        docs = [
            make_doc(vocab, f"{words} {n}", f"{tags} CD")
            for words, tags, *_ in SENTENCES
            for n in range(5)
        ]
        DocBin(docs=docs).to_disk(path)
    else:
        rows = (
            {
                "text": f"{words} {n}",
                "tokens": [*words.split(), str(n)],
                "soft_labels": {"tag": [{tag: 0.8, "other": 0.2} for tag in [*tags.split(), "CD"]]},
            }
            for words, tags, *_ in SENTENCES
            for n in range(5)
        )
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    printed = distill(folder, "rnn_tagger", teacher=path)
    report = json.loads((folder / "out/report.json").read_text())
    assert report["agreement"]["tag_acc"] > 0.9
    assert report["pipelines"].keys() == {"student"} and "tag_acc" in printed


def test_compressed_labels(folder):
    rows = [json.dumps({"text": text, "cats": {"A": 1, "B": 0}}) + "\n" for text in TEXTS]
    with gzip.open(folder / "answers.jsonl.gz", "wt", encoding="utf8") as file:
        file.writelines(rows)
    config = write_config(folder / "student.cfg", "rnn_textcat")
    options = ("--output", folder / "out", "--no-train")
    printed = shown(run("rnn", "distill", folder / "answers.jsonl.gz", config, *options))
    assert "18 texts to learn from" in printed


def test_scores_of_a_teacher_depend_on_all_its_probabilities(folder):
    """With the most probable labels only, the area under the ROC curve would be 0.5."""

    @Language.component("is_unsure")
    def judge(doc):
        doc.cats = {"LIKE": 0.8 if "like" in doc.text else 0.7}
        doc.cats["EAT"] = 1 - doc.cats["LIKE"]
        return doc

    nlp = spacy.blank("xx")
    nlp.add_pipe("is_unsure")
    gold = save_gold(folder)
    distill(folder, "rnn_textcat", "--dev", gold, teacher=save(nlp, folder / "teacher"))
    report = json.loads((folder / "out/report.json").read_text())
    assert report["gold"]["teacher"]["cats_macro_auc"] == 1.0
    assert report["gold"]["teacher"]["cats_micro_f"] == 0.5


def test_frozen_components_need_no_answers(folder):
    frozen = save(make_trained("rnn_tagger"), folder / "tagger")
    config = spacy.util.load_config(write_config(folder / "student.cfg", "rnn_textcat"))
    config["components"]["rnn_tagger"] = {"source": str(frozen)}
    config["nlp"]["pipeline"] = ["rnn_tagger", "rnn_textcat"]
    config["training"]["frozen_components"] = ["rnn_tagger"]
    config.to_disk(folder / "student.cfg")
    distill(folder, "rnn_textcat")
    nlp = spacy.load(folder / "out/model-best")
    (expected,) = spacy.load(frozen).pipe(["I like green eggs"])
    assert [token.tag_ for token in nlp("I like green eggs")] == [t.tag_ for t in expected]


def test_a_config_can_omit_its_corpora(folder):
    config = spacy.util.load_config(write_config(folder / "student.cfg", "rnn_textcat"))
    del config["corpora"]
    del config["training"]["train_corpus"], config["training"]["dev_corpus"]
    config.to_disk(folder / "student.cfg")
    distill(folder, "rnn_textcat", "--training.max_steps", "2")
    assert (folder / "out/report.json").exists()


def test_misspelled_settings_of_the_reader(folder):
    message = "'corpora.train.warmth' is not a setting of the student's reader"
    teacher = save(make_trained("rnn_textcat"), folder / "teacher")
    options = ("--corpora.train.warmth", "2")
    assert message in distill(folder, "rnn_textcat", *options, teacher=teacher, code=1)
    config = spacy.util.load_config(folder / "student.cfg")
    reader = {"@readers": "spacy_rnn.Distilled.v1", "path": None, "warmth": 2.0}
    config["corpora"]["train"] = reader
    config.to_disk(folder / "student.cfg")
    assert message in distill(folder, "rnn_textcat", teacher=teacher, code=1)


def test_the_output_must_not_be_a_pipeline(folder):
    teacher = save(make_trained("rnn_textcat"), folder / "out")
    assert "is the folder of a pipeline" in distill(folder, "rnn_textcat", teacher=teacher, code=1)


def test_one_reader_for_both_corpora(folder):
    config = spacy.util.load_config(write_config(folder / "student.cfg", "rnn_textcat"))
    config["training"]["dev_corpus"] = "corpora.train"
    config.to_disk(folder / "student.cfg")
    printed = distill(folder, "rnn_textcat", code=1)
    assert "reads both training and development data by 'corpora.train'" in printed


def test_an_interrupted_training_has_no_report(folder):
    @spacy.registry.callbacks("tests.end_at_step_5.v1")
    def make():
        return lambda nlp, info: info["step"] == 5 and os.kill(os.getpid(), signal.SIGTERM)

    teacher = save(make_trained("rnn_textcat"), folder / "teacher")
    callback = {"@callbacks": "tests.end_at_step_5.v1"}
    write_config(folder / "student.cfg", "rnn_textcat", before_update=callback)
    assert "Interrupted. Continue" in distill(folder, "rnn_textcat", teacher=teacher)
    assert (folder / "out/model-best").exists() and not (folder / "out/report.json").exists()
    distill(folder, "rnn_textcat", "--resume", teacher=teacher)
    assert (folder / "out/report.json").exists()


@pytest.mark.parametrize("labels", [None, ["EAT", "LIKE"]])
def test_a_config_with_readers_of_tables(labels, folder):
    """The reader of development data takes its labels from the reader of training data."""
    config = spacy.util.load_config(write_config(folder / "student.cfg", "rnn_textcat"))
    reader = {"@readers": "spacy_rnn.Corpus.v1", "path": None}
    config["corpora"]["train"] = {**reader, "labels": labels}
    config["corpora"]["dev"] = {**reader, "labels": "${corpora.train}"}
    config.to_disk(folder / "student.cfg")
    rows = [f"{words},{category}\n" for words, _, _, _, category, *_ in SENTENCES]
    (folder / "dev.csv").write_text("text,label\n" + "".join(rows), encoding="utf8")
    distill(folder, "rnn_textcat", "--dev", folder / "dev.csv")
    report = json.loads((folder / "out/report.json").read_text())
    assert report["gold"]["student"]["cats_micro_f"] > 0.9


@pytest.mark.parametrize("option", ["--gold", "--dev"])
def test_gold_data_without_labels(option, folder):
    docs = [make_doc(spacy.blank("xx").vocab, words) for words, *_ in SENTENCES]
    DocBin(docs=docs).to_disk(folder / "plain.spacy")
    printed = distill(folder, "rnn_textcat", option, folder / "plain.spacy", code=1)
    assert "plain.spacy' has no doc.cats, of which the student needs gold labels" in printed


def test_another_student_may_need_other_answers(folder):
    nlp = make_trained("rnn_textcat")
    nlp.add_pipe("rnn_regressor", source=make_trained("rnn_regressor"))
    teacher = save(nlp, folder / "teacher")
    distill(folder, "rnn_textcat", "--no-train", teacher=teacher)
    write_config(folder / "student.cfg", "rnn_regressor")
    printed = distill(folder, "rnn_regressor", teacher=teacher, code=1)
    assert "has answers with other settings (extensions)" in printed


def test_labels_are_mapped(folder):
    gold = save_gold(folder)
    docs = list(DocBin().from_disk(gold).get_docs(spacy.blank("xx").vocab))
    for doc in docs:
        for token in doc:
            token.tag_ = "NOUN" if token.tag_ in ("NN", "NNS") else token.tag_
    DocBin(docs=docs).to_disk(gold)
    write_config(folder / "student.cfg", "rnn_tagger")
    config = spacy.util.load_config(folder / "student.cfg")
    config["corpora"]["train"] = {
        "@readers": "spacy_rnn.Distilled.v1",
        "path": None,
        "labels": {"tag": {"NN": "NOUN", "NNS": "NOUN"}},
    }
    config.to_disk(folder / "student.cfg")
    distill(folder, "rnn_tagger", "--dev", gold)
    labels = spacy.load(folder / "out/model-best").get_pipe("rnn_tagger").labels
    assert "NOUN" in labels and "NN" not in labels
    report = json.loads((folder / "out/report.json").read_text())
    assert report["gold"]["teacher"]["tag_acc"] == 1.0


def test_tokens_without_an_answer_are_counted(folder):
    nlp = make_trained("rnn_tagger")
    # This tokenizer does not split off punctuation.
    nlp.tokenizer = spacy.tokenizer.Tokenizer(nlp.vocab)
    rows = (json.dumps({"text": f"{name} eat eggs."}) for name in ascii_uppercase[:20])
    (folder / "texts.jsonl").write_text("\n".join(rows), encoding="utf8")
    printed = distill(folder, "rnn_tagger", teacher=save(nlp, folder / "teacher"))
    assert "4 of 8 tokens have no answer: the teacher has others" in printed


def test_missing_answers(folder):
    write_config(folder / "student.cfg", "rnn_ner")
    printed = distill(folder, "rnn_tagger", code=1)
    assert "The teacher does not answer what is asked: 'rnn_ner' learns from doc.ents" in printed


def test_no_label_in_common(folder):
    write_config(folder / "student.cfg", "rnn_tagger", labels=["NOM", "VER"])
    with pytest.raises(AssertionError):
        distill(folder, "rnn_tagger")
    printed = distill(folder, "rnn_tagger", teacher=folder / "teacher", code=1)
    assert "which 'rnn_tagger' does not know" in printed


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "There are no texts to answer, or all are empty"),
        ('{"text": ""}\n', "There are no texts to answer, or all are empty"),
        ('{"text": "I"}\n', "No text is held out to select the best model. Give ten different"),
        ('{"body": "I"}\n', "has no 'text', but 'body'"),
    ],
)
def test_too_few_texts(text, message, folder):
    (folder / "texts.jsonl").write_text(text, encoding="utf8")
    assert message in distill(folder, "rnn_tagger", code=1)


def test_options_of_texts(folder):
    teacher = save(make_trained("rnn_tagger"), folder / "teacher")
    config = write_config(folder / "student.cfg", "rnn_tagger")
    table = folder / "texts.csv"
    table.write_text("body;n\n" + "caf\u00e9;1\n" * 20, encoding="cp1252")
    command = ["rnn", "distill", teacher, config, "--texts", table, "--output", folder / "out"]
    command += ["--text-column", "body", "--delimiter", ";", "--no-train"]
    assert "--encoding cp1252" in shown(run(*command, code=1))
    assert "Answers in" in shown(run(*command, "--encoding", "cp1252"))


def test_bad_arguments(folder):
    config = write_config(folder / "student.cfg", "rnn_tagger")
    output = ("--output", folder / "out")
    printed = shown(run("rnn", "distill", "teacher", config, *output, code=1))
    assert "Give the texts to answer with --texts." in printed
    texts = ("--texts", folder / "texts.jsonl")
    printed = shown(run("rnn", "distill", "missing", config, *texts, *output, code=1))
    assert "There is no pipeline 'missing': give its path" in printed
    printed = shown(run("rnn", "distill", "x.spacy", config, *texts, *output, code=1))
    assert "'x.spacy' has answers already: leave out --texts" in printed
    printed = shown(run("rnn", "distill", "x.jsonl.gz", config, *output, code=1))
    assert "There is no file 'x.jsonl.gz'" in printed


def test_unknown_names(folder):
    printed = distill(folder, "rnn_tagger", "--exclude", "nope", code=1)
    assert "has no component 'nope' to --exclude. Its components: rnn_tagger" in printed
    teacher = folder / "teacher"
    printed = distill(folder, "rnn_tagger", "--attr", "nope", teacher=teacher, code=1)
    assert "There is no Doc extension 'nope'" in printed


def test_the_output_must_be_a_folder(folder):
    (folder / "out").write_text("")
    printed = distill(folder, "rnn_tagger", code=1)
    assert "can't be created" in printed and "Choose another --output" in printed


def test_nothing_to_measure(folder):
    """A rule-based teacher that finds nothing in the held-out texts."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "NAME", "pattern": "Zoe"}])

    def hashed(text):
        return sha1(text.replace(" ", "").encode("utf8")).hexdigest()

    # The texts with the lowest hashes are held out.
    without, named = (
        sorted((f"{name} eats {n} eggs" for n in range(20)), key=hashed) for name in ("She", "Zoe")
    )
    rows = (json.dumps({"text": text}) for text in (*without[:10], *named[10:]))
    (folder / "texts.jsonl").write_text("\n".join(rows), encoding="utf8")
    printed = distill(folder, "rnn_ner", teacher=save(nlp, folder / "teacher"))
    assert "There are no scores of agreement" in printed
