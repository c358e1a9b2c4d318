"""Reports on whole configs, and the warnings in them."""

from dataclasses import replace

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from spacy_rnn.cli.make_config import make_config
from spacy_rnn.cli.recipes import RECIPES
from spacy_rnn.inspection.advice import find_warnings
from spacy_rnn.inspection.report import make_report
from spacy_rnn.inspection.setup import set_up

from ..helpers.paths import ROOT
from ..helpers.pipelines import SENTENCES, make_doc
from ..helpers.slow import slow_but

TASKS = list(dict.fromkeys(task for task, _ in RECIPES))
#: configs of one component; the others are pipelines with a parser, for which this corpus has no
#: annotation
CONFIGS = {path.stem for path in (ROOT / "configs").glob("*.cfg")} - {"assembled", "pipeline"}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Three training documents, and two for development, the first of which is a copy of one."""
    folder = tmp_path_factory.mktemp("corpora")
    vocab = spacy.blank("xx").vocab
    for part, sentences in (("train", SENTENCES[:3]), ("dev", SENTENCES[2:])):
        docs = [make_doc(vocab, *sentence) for sentence in sentences]
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{part}.spacy")
    return {f"paths.{part}": str(folder / f"{part}.spacy") for part in ("train", "dev")}


def configured(paths, task):
    config = make_config([task], "xx")
    for name, path in paths.items():
        config["paths"][name.removeprefix("paths.")] = path
    component = config["components"][task]
    component["model"]["batch_tokens"] = 64
    if task == "lm":
        component.update(streams=2, bptt_length=4)
    return config


@pytest.fixture(scope="module", params=TASKS)
def inspected(paths, request):
    """A task, the setup of its training, and the report on it."""
    config = configured(paths, request.param)
    setup = set_up(config)
    return request.param, setup, make_report(setup)


def test_features_and_weights_are_those_of_training(paths, inspected):
    task, setup, _ = inspected
    pipe, expected = setup.pipes[task], init_nlp(configured(paths, task)).get_pipe(task)
    assert pipe.shim.features.to_dict() == expected.shim.features.to_dict()
    assert pipe.shim.outputs == expected.shim.outputs
    weights, others = (p.shim.module.state_dict() for p in (pipe, expected))
    assert all((weights[name] == others[name]).all() for name in weights)


def test_reports_by_hand(inspected):
    task, _, found = inspected
    assert (found.train.documents, found.train.tokens, found.train.longest) == (3, 13, 5)
    assert (found.dev.documents, found.dev.tokens, found.dev.empty) == (2, 6, 0)
    assert found.leaked == 1 and not found.streamed
    (component,) = found.components.values()
    assert component.factory == f"rnn_{task}"
    assert component.cut == component.windowed == {"train": 0, "dev": 0}
    assert component.lost == {"train": {}, "dev": {}}
    assert component.unannotated == found.left_out == {"train": 0, "dev": 0}
    if task == "tagger":
        tags = component.targets["tag"]
        assert tags.train.counts == {
            "PRP": 3, "VBP": 2, "JJ": 2, "NN": 2, "NNS": 1, "VBZ": 1, "CD": 1, ".": 1,
        }  # fmt: skip
        assert tags.dev.documents == 2 and tags.unseen == []
    elif task == "ner":
        assert component.targets["ner"].train.counts == {"FOOD": 3, "PERSON": 2}
        assert component.targets["ner"].train.per_document == 5 / 3
        assert component.targets["ner"].dev.counts == {"FOOD": 2, "PERSON": 1}
    elif task in ("textcat", "textcat_multilabel"):
        assert component.targets["text"].train.counts == {"LIKE": 2, "EAT": 1}
        assert component.targets["text"].dev.counts == {"LIKE": 1, "EAT": 1}
    elif task == "regressor":
        rating = component.targets["rating"]
        assert (rating.train.mean, rating.train.lowest, rating.train.highest) == (1.0, -1.0, 2.5)
    else:
        assert component.targets == {}
    sides = component.vocabularies
    if task == "translator":
        assert sides["source"]["pieces"].train.tokens == 13
        assert sides["target"]["pieces"].dev.tokens == 5 + 3
    elif task == "lm":
        assert sides["text"]["characters"].train.tokens == 13
    else:
        words = sides["text"]["words"]
        # In "I like green eggs", "She eats one ham ." and "They like blue ham", two words occur
        # twice. They are the only known tokens of "They like blue ham" and "Eggs !".
        assert words.size == 2 and words.train.types == 11
        assert words.dev.unknown_tokens == 4 / 6
    warnings = " ".join(find_warnings(found))
    assert "Training documents: only 3." in warnings
    assert "that are in the training corpus too: 1 of 2." in warnings


def test_a_label_that_no_training_document_has(paths, tmp_path):
    vocab = spacy.blank("xx").vocab
    docs = [make_doc(vocab, *sentence) for sentence in SENTENCES]
    for doc in docs:
        doc.cats = {"EAT": 1.0, "LIKE": 0.0}
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    config = configured({**paths, "paths.train": str(tmp_path / "train.spacy")}, "textcat")
    found = make_report(set_up(config))
    target = found.components["textcat"].targets["text"]
    assert target.train.counts == {"EAT": 4, "LIKE": 0} and target.unseen == ["LIKE"]
    (warning,) = [w for w in find_warnings(found) if "only the dev corpus" in w]
    assert warning == (
        "textcat: Labels of 'text' that only the dev corpus has, 1: LIKE. They cannot be found: "
        "split the data anew, or correct them."
    )


def test_labels_that_no_document_lacks(paths, tmp_path):
    config = configured(paths, "textcat")
    config["components"]["textcat"]["factory"] = "rnn_textcat_multilabel"
    config["components"]["textcat"]["threshold"] = 0.5
    vocab = spacy.blank("xx").vocab
    docs = [make_doc(vocab, *sentence) for sentence in SENTENCES[2:]]
    for doc in docs:
        del doc.cats["LIKE"]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    config["paths"]["dev"] = str(tmp_path / "dev.spacy")
    found = make_report(set_up(config))
    assert found.components["textcat"].never_absent == {"train": [], "dev": ["LIKE"]}
    (warning,) = [w for w in find_warnings(found) if "lacks" in w]
    assert warning.startswith(
        "textcat: Labels that no document of the dev corpus lacks, 1: LIKE. Predicting them is "
        "never counted as wrong. Set labels that do not hold to 0 in doc.cats."
    )


def test_warnings(paths):
    """Each possible problem has one warning."""
    found = make_report(set_up(configured(paths, "ner")))
    fine = replace(
        found,
        train=replace(found.train, documents=100),
        leaked=0,
        components={},
    )
    assert find_warnings(fine) == []
    (empty,) = find_warnings(replace(fine, dev=replace(found.dev, empty=1)))
    assert empty == "Empty documents in the dev corpus: 1 of 2. Leave them out."
    component = found.components["ner"]

    def of(**changes):
        vocabularies = {"text": {}}
        quiet = replace(component, vocabularies=vocabularies, targets={})
        changed = replace(quiet, **changes)
        return find_warnings(replace(fine, components={"ner": changed}))

    assert of() == []
    assert all(warning.startswith("ner: ") for warning in of(targets=component.targets))
    (rare,) = of(targets=component.targets)
    assert "less than 5 occurrences in the training corpus, 2: FOOD, PERSON." in rare
    (unknown,) = of(vocabularies=component.vocabularies)
    assert (
        "Words of the dev corpus (text) that are unknown, whole or in part, to its words: 67%"
        in unknown
    )
    assert "lower min_freq" in unknown
    words = component.vocabularies["text"]["words"]
    fewer = replace(words, dev=replace(words.dev, unknown_tokens=0.2))
    assert of(vocabularies={"text": {"words": fewer}}) == []
    (vectors,) = of(vocabularies={"text": {"vectors": words}})
    assert "Take vectors of the same kind of text" in vectors
    (pieces,) = of(vocabularies={"target": {"pieces": words}})
    assert "(target)" in pieces and "more like" in pieces
    (missing,) = of(unannotated={"train": 2, "dev": 0})
    assert "Documents of the train corpus without doc.ents: 2. If the data has it" in missing
    (lost,) = of(lost={"train": {"entities of some kind": 3}, "dev": {}})
    assert "of the train corpus that is lost, entities of some kind: 3." in lost
    (cut,) = of(cut={"train": 2, "dev": 0}, bounds=replace(component.bounds, max_length=9))
    assert "Documents of the train corpus of more than max_length = 9 tokens: 2." in cut
    (windowed,) = of(windowed={"train": 0, "dev": 1})
    assert "Documents of the dev corpus of more than window = 5000 tokens: 1." in windowed


@pytest.fixture(scope="module")
def split_paths(tmp_path_factory):
    """Two texts of one sentence, with 3 and 5 tokens; one of two sentences, with 3 and 4 tokens;
    and one of 6 tokens without sentence starts. The first and the third are for development."""
    folder = tmp_path_factory.mktemp("split")
    vocab = spacy.blank("xx").vocab
    docs = [
        make_doc(vocab, words, category=category, rating=1.0)
        for words, category in (
            ("a b c", "EAT"),
            ("a b c d e", "LIKE"),
            ("a b c d e f g", "LIKE"),
            ("a b c d e f", "EAT"),
        )
    ]
    for doc in docs[:3]:
        for token in doc:
            token.is_sent_start = token.i == 0 or (len(doc) == 7 and token.i == 3)
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "train.spacy")
    DocBin(docs=docs[:3:2], store_user_data=True).to_disk(folder / "dev.spacy")
    return {f"paths.{part}": str(folder / f"{part}.spacy") for part in ("train", "dev")}


def split_report(split_paths, task, settings):
    config = configured(split_paths, task)
    config["components"][task]["model"]["embedding"]["words"]["min_freq"] = 1
    for part in ("train", "dev"):
        config["corpora"][part].update(settings)
    # The texts that keep their annotation have only one class.
    config["initialize"]["components"] = {task: {"labels": ["EAT", "LIKE"]}}
    return make_report(set_up(config))


@pytest.mark.parametrize(
    "settings, unannotated, left_out",
    [
        ({"max_length": 0}, {"train": 0, "dev": 0}, {"train": 0, "dev": 0}),
        ({"max_length": 4}, {"train": 1, "dev": 1}, {"train": 5 + 4 + 6, "dev": 4}),
        ({"gold_preproc": True}, {"train": 4, "dev": 3}, {"train": 0, "dev": 0}),
        # gold_preproc splits all documents, whatever their length.
        ({"gold_preproc": True, "max_length": 4}, {"train": 4, "dev": 3}, {"train": 0, "dev": 0}),
    ],
)
def test_annotation_that_readers_drop(split_paths, settings, unannotated, left_out):
    found = split_report(split_paths, "textcat", settings)
    component = found.components["textcat"]
    assert component.unannotated == unannotated and found.left_out == left_out
    warnings = find_warnings(found)
    for part in ("train", "dev"):
        lost = [w for w in warnings if f"{part} corpus without doc.cats: {unannotated[part]}." in w]
        assert len(lost) == bool(unannotated[part])
        out = [w for w in warnings if f"{part} corpus that its reader leaves out: " in w]
        assert len(out) == bool(left_out[part])
        assert all(f"leaves out: {left_out[part]}." in warning for warning in out)


def test_many_labels_are_not_all_named(paths):
    found = make_report(set_up(configured(paths, "tagger")))
    target = found.components["tagger"].targets["tag"]
    many = replace(target, unseen=[f"L{i}" for i in range(30)])
    component = replace(found.components["tagger"], targets={"tag": many})
    warnings = find_warnings(replace(found, components={"tagger": component}))
    (warning,) = [w for w in warnings if "only the dev corpus" in w]
    assert "has, 30: L0" in warning and "L9, ..." in warning and "L10" not in warning


def test_documents_that_are_truncated_or_windowed(paths):
    config = configured(paths, "textcat")
    config["components"]["textcat"]["model"].update(max_length=4, window=3)
    component = make_report(set_up(config)).components["textcat"]
    assert component.cut == {"train": 1, "dev": 0}
    assert component.windowed == {"train": 3, "dev": 1}
    # Documents are truncated first, and then fit the window.
    config["components"]["textcat"]["model"].update(max_length=3, window=3)
    component = make_report(set_up(config)).components["textcat"]
    assert component.cut == {"train": 3, "dev": 1}
    assert component.windowed == {"train": 0, "dev": 0}


@pytest.mark.parametrize("task", slow_but(["lm", "textcat"], TASKS))
def test_documents_without_a_token(paths, task):
    """spaCy's reader leaves them out, but other readers may not."""
    setup = set_up(configured(paths, task))
    nlp = setup.nlp
    empty = [Example(nlp.make_doc(""), nlp.make_doc("")) for _ in range(2)]
    found = make_report(setup._replace(train=[*setup.train, empty[0]], dev=empty))
    assert (found.train.empty, found.dev.empty, found.dev.tokens) == (1, 2, 0)
    assert found.train.lengths == {"0": 1, "1": 0, "2-3": 0, "4-7": 3}
    assert "Empty documents in the dev corpus: 2 of 2. Leave them out." in find_warnings(found)
    assert found.leaked == 0


def test_streamed_corpora(paths, monkeypatch):
    config = configured(paths, "textcat")
    config["components"]["textcat"]["model"]["embedding"]["words"]["min_freq"] = 1
    config["training"]["max_epochs"] = -1
    monkeypatch.setattr("spacy_rnn.inspection.setup.N_STREAMED", 2)
    monkeypatch.setattr("spacy_rnn.inspection.setup.N_INITIAL", 1)
    found = make_report(set_up(config))
    assert found.streamed and found.train.documents == found.dev.documents == 2
    # Only the words of the first document.
    assert found.components["textcat"].vocabularies["text"]["words"].size == 4


def test_accumulated_gradients(paths):
    config = configured(paths, "ner")
    whole = make_report(set_up(config)).components["ner"].memory
    config["training"]["accumulate_gradient"] = 3
    parts = make_report(set_up(config)).components["ner"].memory
    assert (whole.batch, parts.batch) == (13, 5)


def test_other_components_are_not_changed(paths):
    """Components that could not be initialized are not changed either."""
    config = configured(paths, "ner")
    config["nlp"]["pipeline"] = ["sentencizer", "parser", "ner", "second", "frozen"]
    config["components"]["sentencizer"] = {"factory": "sentencizer"}
    config["components"]["parser"] = {"factory": "parser"}
    for name in ("second", "frozen"):
        config["components"][name] = {"factory": "rnn_ner"}
    config["training"]["frozen_components"] = ["frozen"]
    setup = set_up(config)
    assert list(setup.pipes) == ["ner", "second"]
    assert setup.nlp.pipe_names == config["nlp"]["pipeline"]
    assert not setup.nlp.get_pipe("frozen").shim.is_built
    assert list(make_report(setup).components) == ["ner", "second"]


@pytest.mark.parametrize("factory", ["sentencizer", "senter"])
def test_annotation_of_annotating_components(paths, factory):
    """An annotating component that is also trained is initialized."""
    config = configured(paths, "textcat")
    config["nlp"]["pipeline"] = ["sentences", "textcat"]
    config["components"]["sentences"] = {"factory": factory}
    config["components"]["textcat"]["model"]["sentences"] = {
        "@architectures": "spacy_rnn.SentenceEncoder.v1",
        "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 4},
        "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["last"]},
    }
    config["training"]["annotating_components"] = ["sentences"]
    assert make_report(set_up(config)).components["textcat"].memory.activations > 0


def test_a_tok2vec_with_a_listener(paths):
    config = configured(paths, "ner")
    config["nlp"]["pipeline"] = ["tok2vec", "ner"]
    config["components"]["tok2vec"] = {"factory": "tok2vec"}
    config["components"]["ner"]["model"]["embedding"] = None
    config["components"]["ner"]["model"]["tok2vec"] = {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": 96,
    }
    found = make_report(set_up(config)).components["ner"]
    assert found.vocabularies == {"text": {}} and found.memory.activations > 0


def test_sourced_components_keep_their_labels(paths, tmp_path):
    nlp = init_nlp(configured(paths, "ner"))
    nlp.get_pipe("ner").add_label("PLACE")
    nlp.to_disk(tmp_path / "model")
    config = configured(paths, "ner")
    config["components"]["ner"] = {"source": str(tmp_path / "model")}
    setup = set_up(config)
    assert setup.pipes["ner"].labels == ("FOOD", "PERSON", "PLACE")
    assert make_report(setup).components["ner"].targets["ner"].train.counts["PLACE"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_configs_of_the_project(paths, name):
    small = {"corpora.train.gold_preproc": True} if name == "lm" else {}
    config = load_config(ROOT / "configs" / f"{name}.cfg", overrides={**paths, **small})
    for component in config["components"].values():
        component["model"]["batch_tokens"] = 64
        if component["factory"] == "rnn_lm":
            component.update(streams=2, bptt_length=4)
            component["model"]["encoder"]["hidden_size"] = 32
        if "context" in component["model"].get("embedding", {}):
            # This block needs a trained language model.
            del component["model"]["embedding"]["context"]
    found = make_report(set_up(config))
    (component,) = found.components.values()
    assert component.memory.parameters > 1000 and component.memory.activations > 0
