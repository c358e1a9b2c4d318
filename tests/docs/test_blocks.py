"""Every block of the documentation does what the page says."""

import io
import re
import shlex
import shutil
from contextlib import redirect_stdout
from importlib.metadata import metadata, requires

import pytest
import spacy
import srsly
from spacy.schemas import ConfigSchemaInit, ConfigSchemaTraining, validate_init_settings
from spacy.tokens import DocBin
from spacy.util import registry
from thinc.api import Config

from ..helpers.cli import run
from ..helpers.commands import check_script, check_spacy
from ..helpers.output import assert_alike
from ..helpers.pages import PAGES, blocks, outputs, parse, parts, title
from ..helpers.paths import ROOT
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train

#: the factories and names of the components that the project trains, by the names of the corpora
TRAINED = {
    "agreement": ("rnn_tagger", "tagger"),
    "news": ("rnn_ner", "ner"),
    "reviews": ("rnn_textcat", "textcat"),
    "emotions": ("rnn_textcat_multilabel", "textcat"),
    "ratings": ("rnn_regressor", "regressor"),
    "parallel": ("rnn_translator", "translator"),
    "text": ("rnn_lm", "lm"),
}
#: pages whose code runs by default
QUICK = [ROOT / "README.md", ROOT / "docs" / "reference" / "ner.md"]
#: the page whose code needs Ray, Spark and Dask
SCALE = ROOT / "docs" / "how-to" / "scale.md"
#: the languages of the last line are tested in test_deploy.py
LANGUAGES = (
    *("python", "ini", "shell", "bash", "text", "toml"),
    *("dockerfile", "js"),
)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    """A folder with the files that the project needs and writes, with small stand-ins for each
    trained pipeline and each corpus."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("configs", "corpora"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "project.yml", folder)
    for name, (factory, component) in TRAINED.items():
        nlp = make_pipeline(factory, name=component)
        examples = make_examples(nlp)
        train(nlp, examples, steps=2)
        for parent in ("training", "corpus"):
            (folder / parent / name).mkdir(parents=True)
        nlp.to_disk(folder / "training" / name / "model-best")
        gold = DocBin(docs=[eg.reference for eg in examples], store_user_data=True)
        for part in ("train", "dev", "test"):
            gold.to_disk(folder / "corpus" / name / f"{part}.spacy")
    write_tables(folder)
    nlp = spacy.load(folder / "training/agreement/model-best")
    nlp.add_pipe("sentencizer")
    whole = folder / "training/pipeline/UD_English-EWT/assembled"
    whole.mkdir(parents=True)
    nlp.to_disk(whole)
    shutil.copytree(folder / "training/reviews/model-best", folder / "training/model-best")
    shutil.copytree(folder / "training/reviews/model-best", folder / "classifier_new")
    # `spacy.load` treats the name of a package that is not installed as a folder.
    shutil.copytree(folder / "training/agreement/model-best", folder / "en_agreement")
    corpus = folder / "corpus/agreement/dev.spacy"
    run(
        "rnn",
        "compress",
        folder / "en_agreement",
        folder / "en_agreement_small",
        "--corpus",
        corpus,
    )
    for name in ("glove.6B.100d.txt", "vectors.floret"):
        (folder / name).touch()
    names = ("start_run", "log_metric", "log_metrics", "log_artifact", "end_run")
    (folder / "mlflow.py").write_text("".join(f"{name} = None\n" for name in names))
    case = {"words": SENTENCES[0][0].split(), "subject": 0, "verb": 1, "number": "Sing"}
    srsly.write_jsonl(folder / "cases.jsonl", [{**case, "other": "eats"}])
    (folder / "labels").mkdir()
    srsly.write_json(folder / "labels" / "tagger.json", ["NN", "VBZ"])
    return folder


def write_tables(folder):
    """Write the files that users have: texts with labels, tokens with tags, and single texts."""
    texts, table, tokens = "", "text,label\n", ""
    for words, _, _, _, category, _, entities, _ in SENTENCES:
        texts += f"{words}\n"
        table += f"{words},{category}\n"
        pairs = zip(words.split(), entities.split(), strict=True)
        tokens += "".join(f"{word} {tag}\n" for word, tag in pairs) + "\n"
    (folder / "lines.txt").write_text(texts)
    answers = [(f"{s[0]} {n}", f"{s[1]} CD") for s in SENTENCES for n in range(5)]
    rows = [{"text": a, "tokens": a.split(), "tags": b.split()} for a, b in answers]
    srsly.write_jsonl(folder / "answers.jsonl", rows)
    for part in ("train", "dev", "test"):
        (folder / f"{part}.csv").write_text(table)
        (folder / f"{part}.conll").write_text(tokens)


@pytest.fixture
def folder(stand_ins, tmp_path, monkeypatch):
    """A copy of the folder of stand-ins, in which the test runs."""
    shutil.copytree(stand_ins, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(spacy.util, "is_package", lambda name: False)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    yield tmp_path
    spacy.require_cpu()


def test_every_block_is_in_a_language_that_is_tested():
    for page in PAGES:
        for block in parts(page).blocks:
            assert block.language in LANGUAGES, block


def marked(pages):
    """The pages as parameters, with the marks of their tests."""
    marks = {SCALE: pytest.mark.scale, **dict.fromkeys(QUICK, ())}
    return [
        pytest.param(page, marks=marks.get(page, pytest.mark.slow), id=title(page))
        for page in pages
    ]


#: except for the page whose blocks are the files of a package; see test_extending.py
WITH_PYTHON = [
    page
    for page in PAGES
    if page.name != "extending.md" and any(b.language == "python" for b in parts(page).blocks)
]


@pytest.mark.parametrize("page", marked(WITH_PYTHON))
def test_python(page, folder):
    """The code runs, and prints what is shown below it."""
    names, shown = {"__name__": title(page)}, outputs(page)
    for block in parts(page).blocks:
        if block.language == "python":
            # Tracebacks refer to the lines of the page.
            code = "\n" * (block.line - 1) + block.text
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(code, str(page), "exec"), names)
            if block in shown:
                assert_alike(printed.getvalue(), shown[block])


# Configs

PATHS = {"train": "corpus/agreement/train.spacy", "dev": "corpus/agreement/dev.spacy"}


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_config(block, folder):
    """Everything in the block can be created, as part of a config of its component."""
    config = parse(block.text)
    nlp = spacy.util.load_model_from_config(complete(config), auto_fill=True)
    assert set(config.get("components", {})) <= set(nlp.component_names)
    filled = nlp.config.interpolate()
    registry.resolve(filled["training"], schema=ConfigSchemaTraining)
    registry.resolve({"corpora": filled["corpora"]})
    settings = registry.resolve(filled["initialize"], schema=ConfigSchemaInit)["components"]
    for name, of_component in settings.items():
        initialize = nlp.get_pipe(name).initialize
        validate_init_settings(initialize, of_component, section="components", name=name)


def complete(block: Config) -> Config:
    """Insert a part of a config into the ready config of its component."""
    components = block.get("components", {})
    named = [*components, *block.get("initialize", {}).get("components", {})]
    paths = [ROOT / "configs" / f"{name}.cfg" for name in [*named, "tagger"]]
    config = spacy.util.load_config(next(path for path in paths if path.exists()))
    # The language of the stand-ins, because a sourced component brings its vocabulary.
    config["nlp"]["lang"] = "xx"
    for name, settings in components.items():
        if settings.keys() & {"factory", "source"}:
            config["components"].pop(name, None)
    config["paths"].update(PATHS)
    config = config.merge(block)
    pipeline = block.get("nlp", {}).get("pipeline", [*config["nlp"]["pipeline"], *components])
    config["nlp"]["pipeline"] = list(dict.fromkeys(pipeline))
    config["components"] = {name: config["components"][name] for name in pipeline}
    return config


# Commands


def commands(page):
    """The commands of a page, with the blocks they are in."""
    for block in parts(page).blocks:
        if block.language in ("shell", "bash"):
            for command in re.split("&&|\n", block.text.replace("\\\n", " ").strip()):
                if words := shlex.split(command, comments=True):
                    yield block, words


WITH_COMMANDS = [p for p in PAGES if any(commands(p))]


@pytest.mark.parametrize("page", marked(WITH_COMMANDS))
def test_commands(page, folder):
    """Commands exist with their options; those of this package run."""
    for block, words in commands(page):
        print(block, *words)
        if words[:4] == ["python", "-m", "spacy", "rnn"] and words[4] not in ("serve", "train"):
            run(*words[3:])
        elif words[:3] == ["python", "-m", "spacy"]:
            check_spacy(words[3:])
        elif words[0] == "torchrun":
            check_spacy(words[words.index("spacy") + 1 :])
        elif words[:2] == ["pip", "install"]:
            check_packages(words[2:])
        elif words[:1] == ["python"] and words[1].endswith(".py"):
            check_script(ROOT / words[1], words[2:])
        elif words[0] != "model_signing":  # see test_signing.py
            assert words[:3] == ["python", "-m", "pytest"], "Nothing checks this command."


#: the packages of test_signing.py
SIGNING = ("model-signing", "pyopenssl")


def check_packages(words):
    """Check that only this package, with existing extras, and its dependencies are installed."""
    extras = metadata("spacy-rnn").get_all("Provides-Extra")
    dependencies = [re.match(r"[\w-]+", needed)[0] for needed in requires("spacy-rnn")]
    for word in words:
        if word.startswith(("-", "https://")):
            continue
        name, _, extra = re.fullmatch(r"([\w.-]+)(\[([\w,-]+)\])?", word).groups()
        assert name in (".", "spacy-rnn", *SIGNING, *dependencies), word
        assert extra is None or set(extra.split(",")) <= set(extras), word
