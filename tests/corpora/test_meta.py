"""The meta.json for the package of a pipeline."""

import pytest
import spacy
import srsly

from ..helpers.corpora import corpora_module
from ..helpers.paths import ROOT

ABOUT = {
    "description": "Sentences",
    "license": "CC BY-SA 4.0",
    "sources": [{"name": "Owls", "url": "https://example.com", "license": "CC BY-SA 4.0"}],
}


@pytest.fixture
def write(tmp_path):
    """A function that writes the file and returns its content."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")

    def write_meta(about, *scores):
        srsly.write_json(tmp_path / "about.json", about)
        paths = [tmp_path / f"{number}.json" for number in range(len(scores))]
        for path, found in zip(paths, scores, strict=True):
            srsly.write_json(path, found)
        files = [tmp_path / name for name in ("pipeline", "about.json", "out.json")]
        options = ["--scores", *paths] if paths else []
        corpora_module("meta").main(list(map(str, [*files, *options])))
        return srsly.read_json(tmp_path / "out.json")

    return write_meta


def test_all_data_is_written(write):
    meta = write(
        ABOUT, {"ents_f": 0.5, "speed": 9.0}, {"ents_f": None, "tag_acc": 0.9, "speed": 3.0}
    )
    assert {name: meta[name] for name in ABOUT} == ABOUT
    assert meta["performance"] == {"ents_f": 0.5, "tag_acc": 0.9, "speed": 3.0}
    assert meta["components"] == ["sentencizer"] == list(meta["size_mb"])[:-1]
    assert 0 < meta["size_mb"]["total"] < 1


def test_missing_fields_are_named(write, capsys):
    with pytest.raises(SystemExit):
        write(
            {
                "description": "Sentences",
                "sources": [{"name": "Owls", "url": "https://example.com"}],
            }
        )
    assert "lacks: license, license of a source" in " ".join(capsys.readouterr().out.split())


def test_the_file_of_the_project_is_complete(write):
    about = srsly.read_json(ROOT / "configs" / "pipeline_meta.json")
    assert write(about)["sources"] == about["sources"]
