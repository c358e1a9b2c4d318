"""Pairs of sentences from each format of parallel corpora."""

import gzip
import json
import logging
import lzma
import pickle
import subprocess
import sys
import time
import tracemalloc

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_rnn.extensions import set_doc_extension
from spacy_rnn.readers.parallel import ParallelCorpus

PAIRS = [
    ("Go.", "Va !"),
    ("The cat, I think, sleeps.", "Le chat dort, je\u202fcrois."),
    ("He said “no”\u2028twice.", "Il a dit «\xa0non\xa0»\x85 deux fois."),
    ("A 😀 smile", "Un sourire 😀"),
]
OPEN = {"": open, ".xz": lzma.open, ".gz": gzip.open}


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def write(path, text):
    """Write bytes or text to a file, compressed according to its name."""
    with OPEN.get(path.suffix, open)(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode("utf8"))
    return path


def tsv(pairs):
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def jsonl(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def read(nlp, path, attr="translation", **settings):
    """The pairs that a corpus yields."""
    found = []
    for eg in ParallelCorpus(path, attr=attr, **settings)(nlp):
        assert eg.predicted is not eg.reference
        assert eg.predicted.text == eg.reference.text
        assert eg.predicted._.get(attr) is None
        found.append((eg.text, eg.reference._.get(attr)))
    return found


def error(nlp, path, **settings):
    with pytest.raises(ValueError) as raised:
        read(nlp, path, **settings)
    return str(raised.value)


def save_docs(nlp, path, pairs, attr="translation", store_user_data=True):
    set_doc_extension(attr)
    docs = []
    for source, target in pairs:
        docs.append(nlp.make_doc(source))
        docs[-1]._.set(attr, target)
    DocBin(docs=docs, store_user_data=store_user_data).to_disk(path)
    return path


def save_dataset(path, records, features=None):
    from datasets import Dataset

    Dataset.from_list(records, features=features).save_to_disk(str(path))
    return path


# Tables


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.tsv.xz", "a.txt.gz", "A.TSV"])
def test_tables(nlp, tmp_path, name):
    assert read(nlp, write(tmp_path / name, tsv(PAIRS))) == PAIRS


def test_columns_of_a_table(nlp, tmp_path):
    path = write(tmp_path / "a.tsv", "1\tVa !\t\tGo.\tCC-BY\n2\tCours !\t\tRun!\tCC-BY\n")
    expected = [("Go.", "Va !"), ("Run!", "Cours !")]
    assert read(nlp, path, source_column=3, target_column=1) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfGo.\tVa !\nRun!\tCours !\n",
        b"Go.\tVa !\r\nRun!\tCours !\r\n",
        b"Go.\tVa !\nRun!\tCours !",
        b" Go. \t Va !\nRun!\tCours ! \n",
    ],
    ids=["byte order mark", "carriage returns", "no last line feed", "white space"],
)
def test_surrounding_characters_are_not_part_of_a_text(nlp, tmp_path, text):
    assert read(nlp, write(tmp_path / "a.tsv", text)) == [("Go.", "Va !"), ("Run!", "Cours !")]


def test_quotes_are_text(nlp, tmp_path):
    pairs = [('"Go', "Va"), ('Run"', '"Cours"')]
    assert read(nlp, write(tmp_path / "a.tsv", tsv(pairs))) == pairs


def test_a_line_without_tab_is_an_error(nlp, tmp_path):
    path = write(tmp_path / "a.tsv", "Go.\tVa !\nRun! Cours !\n")
    message = error(nlp, path)
    assert f"Line 2 of {path} has 1 field, but line 1 has 2 (Go., Va !)" in message
    message = error(nlp, write(tmp_path / "b.tsv", "Go. Va !\n"))
    assert "Line 1 of" in message and "has too few columns, 1:" in message and "TAB" in message
    message = error(nlp, path, target_column=2)
    assert "Line 1 " in message and "target_column = 2 need 3" in message


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.xz", "a.jsonl"])
def test_a_line_that_is_not_utf8_is_an_error(nlp, tmp_path, name):
    line = {"source": "Ah!", "target": "Ça !"}
    text = "Ah!\tÇa !\n" if "tsv" in name else json.dumps(line, ensure_ascii=False)
    path = write(tmp_path / name, b"\n" + text.encode("latin1"))
    message = error(nlp, path)
    assert f"Line 2 of {path} is not UTF-8" in message and "iconv" in message


@pytest.mark.parametrize("name", ["a.tsv.xz", "a.tsv.gz"])
def test_a_damaged_file_is_an_error(nlp, tmp_path, name):
    path = write(tmp_path / name, tsv(PAIRS * 100))
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path} is damaged" in error(nlp, path)
    path.write_bytes(b"not compressed")
    assert f"{path} is damaged" in error(nlp, path)


# Two files


@pytest.mark.parametrize("names", [("a.en", "a.fr"), ("a.en.xz", "a.fr.gz"), ("en.txt", "fr.txt")])
def test_two_files(nlp, tmp_path, names):
    paths = [
        write(tmp_path / name, "\n".join(texts) + "\n")
        for name, texts in zip(names, zip(*PAIRS, strict=True), strict=True)
    ]
    assert read(nlp, paths[0], target_path=paths[1]) == PAIRS


def test_a_carriage_return_inside_a_line_is_an_error(nlp, tmp_path):
    english = write(tmp_path / "a.en", "Go.\r\nGo\r on.\nRun!\n")
    french = write(tmp_path / "a.fr", "Va !\nVa !\nCours !\n")
    message = error(nlp, english, target_path=french)
    assert f"Line 2 of {english} has a carriage return" in message


@pytest.mark.parametrize("shorter", ["en", "fr"])
def test_two_files_of_unequal_length_are_an_error(nlp, tmp_path, shorter):
    lines = {"en": "one\ntwo\nthree\nfour\nfive\n", "fr": "un\ndeux\ntrois\nquatre\ncinq\n"}
    lines[shorter] = "x\ny\n"
    english, french = (write(tmp_path / f"a.{name}", text) for name, text in lines.items())
    message = error(nlp, english, target_path=french)
    short, long = (english, french) if shorter == "en" else (french, english)
    assert f"{short} has 2 lines, but {long} has 5" in message
    assert "line 3 is the first without a translation" in message


def test_target_path_goes_with_a_file_of_lines(nlp, tmp_path):
    french = write(tmp_path / "a.fr", "Va !\n")
    for path in (tmp_path, write(tmp_path / "a.jsonl", "{}"), write(tmp_path / "a.spacy", "")):
        assert "Leave target_path out" in error(nlp, path, target_path=french)


# JSON


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.xz", "a.json.gz"])
def test_json_lines(nlp, tmp_path, name):
    records = [{"id": 1, "source": source, "target": target} for source, target in PAIRS]
    assert read(nlp, write(tmp_path / name, jsonl(records))) == PAIRS
    ascii_only = "\n\n".join(map(json.dumps, records))
    with_blank_lines = write(tmp_path / name, ascii_only)
    assert read(nlp, with_blank_lines) == PAIRS


def test_json_lines_with_names_of_languages(nlp, tmp_path):
    records = [{"id": "1", "translation": {"fr": fr, "en": en}} for en, fr in PAIRS]
    path = write(tmp_path / "a.jsonl", jsonl(records))
    assert read(nlp, path, source="en", target="fr") == PAIRS
    assert read(nlp, path, source="fr", target="en") == [pair[::-1] for pair in PAIRS]
    path = write(tmp_path / "a.jsonl", jsonl(record["translation"] for record in records))
    assert read(nlp, path, source="en", target="fr") == PAIRS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"source": "Run!",', "is not valid JSON"),
        ('{"source": "Run!"}', "no texts with the names 'source' and 'target'; it has {'source'"),
        ('{"x": {"en": "a", "fr": "b"}}', "it has {'x': ['en', 'fr']}. Set source and target"),
        ('["Run!", "Cours !"]', "it has list"),
        ('{"source": 3, "target": "trois"}', "3 is not a string"),
        ('{"source": "\\ud83d", "target": "x"}', "half of a surrogate pair"),
    ],
)
def test_malformed_json_is_an_error(nlp, tmp_path, line, expected):
    path = write(tmp_path / "a.jsonl", jsonl([{"source": "Go.", "target": "Va !"}]) + line + "\n")
    message = error(nlp, path)
    assert f"Line 2 of {path}" in message and expected in message


# Docs


def test_docs_of_a_file_and_of_a_folder(nlp, tmp_path):
    (tmp_path / "more").mkdir()
    first = save_docs(nlp, tmp_path / "a.spacy", PAIRS[:3])
    save_docs(nlp, tmp_path / "more" / "b.spacy", PAIRS[3:])
    assert read(nlp, first) == PAIRS[:3]
    assert read(nlp, tmp_path) == PAIRS


def test_docs_are_tokenized_again_and_keep_their_annotation(nlp, tmp_path):
    set_doc_extension("translation")
    doc = Doc(nlp.vocab, words=["Don't", "go", "."], spaces=[True, False, False])
    doc._.translation = "N'y va pas."
    doc[1].tag_ = "VB"
    DocBin(docs=[doc], attrs=["TAG"], store_user_data=True).to_disk(tmp_path / "a.spacy")
    (example,) = ParallelCorpus(tmp_path / "a.spacy")(nlp)
    assert [token.text for token in example.predicted] == ["Do", "n't", "go", "."]
    assert [token.text for token in example.reference] == ["Don't", "go", "."]
    assert example.reference[1].tag_ == "VB" and example.predicted[2].tag_ == ""


def test_docs_without_known_spaces_keep_their_words(nlp, tmp_path):
    set_doc_extension("translation")
    doc = Doc(nlp.vocab, words=["Don't", "go"])
    assert doc.has_unknown_spaces
    doc._.translation = "N'y va pas."
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    (example,) = ParallelCorpus(tmp_path / "a.spacy")(nlp)
    assert [token.text for token in example.predicted] == ["Don't", "go"]


def test_docs_saved_without_their_translations(nlp, tmp_path):
    path = save_docs(nlp, tmp_path / "a.spacy", PAIRS, store_user_data=False)
    message = error(nlp, path)
    assert "4 without a translation" in message and "store_user_data=True" in message


def test_docs_with_something_else_in_the_extension(nlp, tmp_path):
    path = save_docs(nlp, tmp_path / "a.spacy", [PAIRS[0], ("Run!", {"fr": "Cours !"})])
    assert f"doc._.translation of doc 2 of {path}: {{'fr'" in error(nlp, path)


# Datasets


def test_datasets_with_a_translation_feature(nlp, tmp_path):
    from datasets import Features, Translation, Value

    features = Features({"id": Value("string"), "translation": Translation(["en", "fr"])})
    records = [
        {"id": str(i), "translation": {"en": en, "fr": fr}} for i, (en, fr) in enumerate(PAIRS)
    ]
    path = save_dataset(tmp_path / "data", records, features)
    assert read(nlp, path, source="en", target="fr") == PAIRS
    assert read(nlp, path, source="fr", target="en") == [pair[::-1] for pair in PAIRS]
    message = error(nlp, path, source="en", target="de")
    assert f"Row 1 of {path}" in message and "'translation': ['en', 'fr']" in message


def test_datasets_with_two_columns(nlp, tmp_path):
    records = [{"source": en, "target": fr} for en, fr in [*PAIRS, ("Run!", None)]]
    assert read(nlp, save_dataset(tmp_path / "data", records)) == PAIRS


def test_datasets_of_several_splits(nlp, tmp_path):
    from datasets import Dataset, DatasetDict

    split = Dataset.from_list([{"source": en, "target": fr} for en, fr in PAIRS])
    path = tmp_path / "data"
    DatasetDict({"train": split, "test": split}).save_to_disk(str(path))
    message = error(nlp, path)
    assert "['train', 'test']" in message and str(path / "train") in message
    assert read(nlp, path / "test") == PAIRS


# Paths and settings


@pytest.mark.parametrize("name", ["a.en", "a", "a.spacy.xz"])
def test_an_unknown_format_is_an_error(nlp, tmp_path, name):
    message = error(nlp, write(tmp_path / name, tsv(PAIRS)))
    assert name in message and ".tsv" in message and "target_path" in message


def test_a_folder_of_other_files_is_an_error(nlp, tmp_path):
    write(tmp_path / "a.tsv", tsv(PAIRS))
    with pytest.warns(UserWarning, match="W090"):
        assert "neither .spacy files nor a dataset" in error(nlp, tmp_path)


def test_missing_files_are_errors(nlp, tmp_path):
    with pytest.raises(ValueError, match="E913"):
        ParallelCorpus(None)
    there = write(tmp_path / "a.tsv", tsv(PAIRS))
    missing = [ParallelCorpus(tmp_path / "b.tsv"), ParallelCorpus(tmp_path / "b")]
    for corpus in (*missing, ParallelCorpus(there, target_path=tmp_path / "b.fr")):
        with pytest.raises(FileNotFoundError, match=r"file or folder .*b.* does not exist"):
            next(corpus(nlp))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_length": -1},
        {"limit": -1},
        {"source_column": -1},
        {"target_column": -1},
        {"max_length": 1.5},
        {"limit": 1.5},
        {"max_ratio": 0.5},
        {"max_ratio": -1.0},
    ],
)
def test_numbers_out_of_bounds_are_errors(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"'{name}' must be a (whole )?number of at least"):
        ParallelCorpus("a.tsv", **settings)


def test_another_extension(nlp, tmp_path):
    path = write(tmp_path / "a.tsv", tsv(PAIRS))
    assert read(nlp, path, attr="parallel_test_french") == PAIRS
    assert Doc.has_extension("parallel_test_french")


def test_an_existing_extension_is_kept(nlp, tmp_path):
    Doc.set_extension("parallel_test_there", default="nothing", force=True)
    (example, *_) = ParallelCorpus(
        write(tmp_path / "a.tsv", tsv(PAIRS)), attr="parallel_test_there"
    )(nlp)
    assert example.predicted._.parallel_test_there == "nothing"
    assert example.reference._.parallel_test_there == "Va !"


def test_a_corpus_can_be_read_again_and_copied(nlp, tmp_path):
    corpus = ParallelCorpus(str(write(tmp_path / "a.tsv", tsv(PAIRS))))
    passes = [[eg.text for eg in reader(nlp)] for reader in (corpus, corpus)]
    passes.append([eg.text for eg in pickle.loads(pickle.dumps(corpus))(nlp)])
    assert passes == [[source for source, _ in PAIRS]] * 3


@pytest.mark.slow
def test_a_fresh_process_needs_no_component(tmp_path):
    path = write(tmp_path / "a.tsv", tsv(PAIRS[:1]))
    code = (
        "import sys; from spacy_rnn.readers.parallel import ParallelCorpus as make; "
        "found = [m for m in sys.modules if m.startswith(('datasets', 'spacy_rnn.pipeline'))]; "
        f"import spacy; (eg,) = make({str(path)!r})(spacy.blank('en')); "
        "print(eg.reference._.translation, found)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Va ! []"


# What is dropped


def logged(caplog, level=logging.WARNING):
    found = [record.getMessage() for record in caplog.records if record.levelno == level]
    caplog.clear()
    return found


def test_pairs_without_a_text_are_dropped_and_counted(nlp, tmp_path, caplog):
    path = write(tmp_path / "a.tsv", "Go.\tVa !\n\t\n \tx\ny\t \n\nz\t\nRun!\tCours !\n")
    assert read(nlp, path) == [("Go.", "Va !"), ("Run!", "Cours !")]
    assert logged(caplog) == [
        f"{path}: 4 of 6 pairs are dropped: 2 without a source, 2 without a translation."
    ]
    records = [{"source": None, "target": "a"}, {"source": "a", "target": None}]
    records += [{"source": source, "target": target} for source, target in PAIRS]
    assert read(nlp, write(tmp_path / "a.jsonl", jsonl(records))) == PAIRS
    assert "2 of 6 pairs" in logged(caplog)[0]
    docs = save_docs(nlp, tmp_path / "a.spacy", [("", "a"), (" ", "b"), ("c", None), *PAIRS])
    assert read(nlp, docs) == PAIRS
    assert "2 without a source, 1 without a translation" in logged(caplog)[0]


def test_nothing_is_logged_if_nothing_is_dropped(nlp, tmp_path, caplog):
    caplog.set_level(logging.INFO, "spacy_rnn")
    read(nlp, write(tmp_path / "a.tsv", tsv(PAIRS)))
    assert not caplog.records


def test_max_length_counts_tokens_of_the_source_and_words_of_the_translation(nlp, tmp_path, caplog):
    pairs = [("One, two.", "x"), ("One, two!?", "x"), ("x", "un deux. trois, 4!")]
    pairs.append(("x", "1 2 3 4 5"))
    assert [len(nlp.make_doc(source)) for source, _ in pairs[:2]] == [4, 5]
    path = write(tmp_path / "a.tsv", tsv(pairs))
    assert read(nlp, path, max_length=4) == [pairs[0], pairs[2]]
    assert logged(caplog) == [f"{path}: 2 of 4 pairs are dropped: 2 longer than max_length = 4."]
    assert read(nlp, path, max_length=5) == pairs


def test_max_ratio_is_of_the_longer_side_to_the_shorter(nlp, tmp_path, caplog):
    pairs = [("a b", "1 2 3"), ("a b c", "1 2"), ("a b", "1 2 3 4"), ("a b c d", "1 2"), ("a", "1")]
    path = write(tmp_path / "a.tsv", tsv(pairs))
    assert read(nlp, path, max_ratio=1.5) == [pairs[0], pairs[1], pairs[4]]
    assert logged(caplog) == [f"{path}: 2 of 5 pairs are dropped: 2 above max_ratio = 1.5."]
    assert read(nlp, path, max_ratio=1) == [pairs[4]]
    assert read(nlp, path, max_ratio=2) == read(nlp, path) == pairs


def test_the_limit_counts_pairs_that_are_kept(nlp, tmp_path, caplog):
    path = write(tmp_path / "a.tsv", "\t\n" + tsv(PAIRS) + "\t\nno tab\n")
    assert read(nlp, path, limit=2) == PAIRS[:2]
    assert logged(caplog) == [f"{path}: 1 of 3 pairs are dropped: 1 without a source."]
    assert read(nlp, path, limit=4) == PAIRS
    assert "Line 7 " in error(nlp, path, limit=5)


def test_the_same_drops_are_a_warning_only_once(nlp, tmp_path, caplog):
    caplog.set_level(logging.INFO, "spacy_rnn")
    path = write(tmp_path / "a.tsv", tsv([*PAIRS, ("", "x")]))
    corpus = ParallelCorpus(path)
    levels = []
    for extra in ("", "", "\tx\n"):
        with path.open("a", encoding="utf8") as file:
            file.write(extra)
        assert len(list(corpus(nlp))) == len(PAIRS)
        levels += [record.levelname for record in caplog.records]
        caplog.clear()
    assert levels == ["WARNING", "INFO", "WARNING"]


def test_a_pass_that_is_stopped_early_logs_nothing(nlp, tmp_path, caplog):
    corpus = ParallelCorpus(write(tmp_path / "a.tsv", "\t\n" + tsv(PAIRS)))
    examples = corpus(nlp)
    assert next(examples).text == "Go."
    examples.close()
    assert not caplog.records


def test_it_is_an_error_if_all_is_dropped(nlp, tmp_path):
    path = write(tmp_path / "a.tsv", "\tx\nx\t\na b c d\tx\na b c\tx\n")
    message = error(nlp, path, max_length=3, max_ratio=2.5)
    assert f"{path} has no pairs to learn from: 4 were read, all of them dropped: " in message
    for reason in (
        "1 without a source",
        "1 without a translation",
        "1 longer than max_length = 3",
        "1 above max_ratio = 2.5",
    ):
        assert reason in message
    assert "0 were read. Check" in error(nlp, write(tmp_path / "empty.tsv", ""))


# Real and large files


def test_tatoeba(nlp, data_dir):
    path = data_dir / "mt-tatoeba-en-fr" / "fra.txt.xz"
    start = time.process_time()
    found = read(nlp, path, limit=3000, max_length=4, max_ratio=2.0)
    assert time.process_time() - start < 3
    assert len(found) == 3000 and len(set(found)) > 2990
    assert ("Run!", "Courez\u202f!") in found and ("Fire!", "Au feu !") in found
    assert all(len(target.split()) <= 4 for _, target in found)


def test_all_lines_of_tatoeba_are_read(data_dir):
    """The lines are read without making docs."""
    corpus = ParallelCorpus(data_dir / "mt-tatoeba-en-fr" / "fra.txt.xz")
    pairs = list(corpus.pairs(spacy.blank("en").vocab))
    assert len(pairs) == 142_787 and all(source and target for source, target in pairs)


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.xz", "a.jsonl", "a.en"])
def test_files_are_read_a_line_at_a_time(nlp, tmp_path, name):
    """Reading a file of 20 MB takes less than 1 MB, plus the window of 8 MB of the .xz format."""
    text = "x" * 10_000
    line = {"a.jsonl": jsonl([{"source": text, "target": text}]), "a.en": text + "\n"}
    path = write(tmp_path / name, line.get(name, tsv([(text, text)])) * 1000)
    target_path = path if name == "a.en" else None
    corpus = ParallelCorpus(path, target_path=target_path)
    tracemalloc.start()
    n_pairs = sum(1 for _ in corpus.pairs(nlp.vocab))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_pairs == 1000 and peak < 1_000_000 + 8_388_608 * name.endswith(".xz")
