"""The README's Python blocks work when pasted."""

import re

import pytest
import spacy
from spacy.tokens import DocBin

from .conftest import ROOT, make_examples, make_pipeline, train

README = (ROOT / "README.md").read_text(encoding="utf8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_block_runs(code, tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    if "en_agreement" in code:
        # The package that the project makes; a small pipeline stands in for it here.
        load = spacy.load
        monkeypatch.setattr(
            spacy, "load", lambda name: trained if name == "en_agreement" else load(name)
        )
    if "training/news" in code:
        nlp = make_pipeline("rnn_ner", name="ner")
        train(nlp, make_examples(nlp), steps=2)
        for folder in ("training/news", "corpus/news"):
            (tmp_path / folder).mkdir(parents=True)
        nlp.to_disk(tmp_path / "training/news/model-best")
        gold = DocBin(docs=[eg.reference for eg in make_examples(nlp)])
        gold.to_disk(tmp_path / "corpus/news/dev.spacy")
    if "training/parallel" in code:
        nlp = make_pipeline("rnn_translator", name="translator")
        train(nlp, make_examples(nlp), steps=2)
        (tmp_path / "training/parallel").mkdir(parents=True)
        nlp.to_disk(tmp_path / "training/parallel/model-best")
    if "HFDataset" in code:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    exec(compile(code, "README.md", "exec"), {})


def test_there_are_blocks_and_two_commands():
    assert len(BLOCKS) >= 3
    commands = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    assert "spacy project run all" in commands[0] and "pytest" in commands[1]
    assert all(len(command.strip().splitlines()) == 1 for command in commands[:2])
