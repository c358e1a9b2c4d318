"""Every format in tests/data is recognized, and gives exactly the expected docs."""

import gzip
import json
import lzma
import tempfile
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from spacy_rnn.readers.data_file import detect
from spacy_rnn.readers.formats import FORMATS

from ..helpers.data_files import ANNA, DATA, EXPECTED, LOC, PER, READ, of_entities, of_tags

LANGUAGE = spacy.blank("xx")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def open_file(name, **settings):
    if name == "aligned.en":
        settings["target_path"] = DATA / "aligned.fr"
    return detect(DATA / name, **settings)


def test_all_data_files_and_formats_are_tested():
    names = {path.name for path in DATA.iterdir()} - {"aligned.fr"}
    assert names == set(EXPECTED)
    others = {"spacy", "dataset"}
    assert {form for form, _, _ in EXPECTED.values()} | others == {form.name for form in FORMATS}


@pytest.mark.parametrize("name", EXPECTED)
def test_format_task_and_docs(name, nlp):
    form, task, expected = EXPECTED[name]
    file = open_file(name)
    assert (file.format, file.task) == (form, task)
    docs = list(file.read(nlp))
    assert [READ[task](doc) for doc in docs] == expected
    assert file.counts.docs == len(docs)
    assert file.counts.tokens == sum(map(len, docs))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_reader_config_gives_the_same_texts(name, nlp):
    """The generated config block resolves to a reader that gives the same docs."""
    _, task, expected = EXPECTED[name]
    path = str(DATA / name)
    block = open_file(name).reader_config(path)
    corpus = spacy.registry.resolve({"corpus": block})["corpus"]
    found = [READ[task](example.reference) for example in corpus(nlp)]
    assert found == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_docs_survive_spacys_files(name, nlp, tmp_path):
    _, task, expected = EXPECTED[name]
    path = tmp_path / "docs.spacy"
    DocBin(docs=open_file(name).read(nlp), store_user_data=True).to_disk(path)
    file = detect(path, task)
    assert file.format == "spacy"
    assert [READ[task](doc) for doc in file.read(nlp)] == expected


@pytest.mark.parametrize("pack, ending", [(gzip.compress, ".gz"), (lzma.compress, ".xz")])
def test_compressed_files(pack, ending, nlp, tmp_path):
    for name in ("treebank.conllu", "intents.csv", "iob2.conll", "doccano_spans.jsonl"):
        path = tmp_path / f"{name}{ending}"
        path.write_bytes(pack((DATA / name).read_bytes()))
        form, task, expected = EXPECTED[name]
        file = detect(path)
        assert (file.format, file.task) == (form, task)
        assert [READ[task](doc) for doc in file.read(nlp)] == expected


def test_n_sents_groups_within_documents(nlp):
    docs = list(open_file("iob1.conll", n_sents=10).read(nlp))
    assert [len(list(doc.sents)) for doc in docs] == [2, 1]
    assert [len(doc.ents) for doc in docs] == [3, 1]
    (doc,) = open_file("treebank.conllu", n_sents=2).read(nlp)
    assert len(list(doc.sents)) == 2


def test_entities_end_with_their_sentence(nlp, tmp_path):
    path = tmp_path / "io.conll"
    path.write_text("we O\nleft O\nRome LOC\n\nParis LOC\nslept O\nwell O\n")
    (doc,) = detect(path, n_sents=2).read(nlp)
    assert [ent.text for ent in doc.ents] == ["Rome", "Paris"]


def test_a_hash_is_a_token_if_it_has_a_tag(nlp, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("# a comment\n# O\nspacy B-ORG\n\n# O\nRome B-LOC\n")
    docs = list(detect(path).read(nlp))
    assert [[token.text for token in doc] for doc in docs] == [["#", "spacy"], ["#", "Rome"]]


def test_settings_replace_guesses(nlp, tmp_path):
    file = open_file("iob1.conll", columns={"tokens": "0", "tags": "1"})
    assert file.task == "tagger"
    assert of_tags(next(file.read(nlp))) == (
        "Anna Bell met Bob Paris .",
        ["NNP", "NNP", "VBD", "NNP", "NNP", "."],
    )
    file = open_file("ratings.tsv", task="textcat")
    assert file.columns == {"text": "review", "label": "stars"}
    file = open_file("topics.csv", separator="")
    assert file.task == "textcat"
    path = tmp_path / "x.csv"
    path.write_bytes("Une fête très belle !|oui\nUne fête sans gâteau !|non\n".encode("cp1252"))
    file = detect(path, "textcat", encoding="cp1252", delimiter="|", header=False)
    assert file.columns == {"text": "0", "label": "1"}
    assert [doc.text for doc in file.read(nlp)] == [
        "Une fête très belle !",
        "Une fête sans gâteau !",
    ]


def test_labels_can_be_given(nlp):
    file = open_file("intents.csv", labels=["other", "card_arrival", "change_pin"])
    assert next(file.read(nlp)).cats == {"other": 0.0, "card_arrival": 1.0, "change_pin": 0.0}
    assert open_file("intents.csv").label_names == ["card_arrival", "change_pin"]


def test_guesses_are_described():
    assert open_file("topics.csv").describe() == [
        "format: table, task: textcat_multilabel",
        "delimiter: ';'",
        "header: yes",
        "columns used: text = text, labels = topics; ignored: none",
        "separator of labels: '|'",
    ]
    assert open_file("iob1.conll").describe()[2:] == [
        "columns used: tokens = 0 (Anna, Bell, ...), entities = 3 (I-PER, O, ...); "
        "ignored: 1 (NNP, VBD, ...), 2 (I-NP, I-VP, ...)",
        "scheme: IOB1 (B only between adjacent entities)",
    ]


def test_problems_are_counted_with_their_places(nlp, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(
        '{"text": "Anna Bell sleeps.", "spans": [[0, 4, "PER"], [0, 9, "PER"]]}\n'
        '{"text": "Annabell sleeps.", "spans": [[0, 4, "PER"]]}\n'
        '{"text": " ", "spans": []}\n'
    )
    file = detect(path)
    first, second = file.read(nlp)
    assert of_entities(first) == ("Anna Bell sleeps.", [ANNA])
    # The token in question is not annotated; the others are outside.
    assert [token.ent_iob_ for token in second] == ["", "O", "O"]
    assert file.counts.lines() == [
        "2 documents, 7 tokens",
        "labels: PER 1",
        "entities that overlap a longer one: 1 (line 1)",
        "entities that begin or end within a token (the tokens are not annotated): 1 (line 2)",
        "rows without a text, left out: 1 (line 3)",
    ]


@pytest.mark.parametrize(
    "name, text, settings, message",
    [
        ("x.csv", "", {}, "is empty"),
        ("x.csv", "text,label\n", {}, "no rows after its header"),
        ("x.csv", "text,text\nA b c,x\nD e f,y\n", {}, "has the names .'text'. more than once"),
        ("x.csv", "text,label\nA b c,x\nD e f\n", {}, "Line 3 of .* has 1 field"),
        ("x.csv", "text,label\nA b c,x\nD e f,y\n", {"columns": {"text": "txt"}}, "no column"),
        (
            "x.csv",
            "a b c,d e f,g h i\nj k l,m n o,p q r\n",
            {},
            "not show one column of texts.*text=0,translation=1 ",
        ),
        (
            "x.csv",
            "text,label\nA b c,x\nD e f,y\n",
            {"task": "regressor"},
            "for the task regressor",
        ),
        ("x.csv", "text,label\nA b c,x\nD e f,y\n", {"n_sents": 2}, "settings .'n_sents'. do not"),
        ("x.conll", "Anna B-PER\nsleeps\n\nHere O\n", {}, "Line 2 of .* has 1 column, 'sleeps'"),
        (
            "x.conll",
            "Anna B-PER\nin O\nRome LOC\n",
            {"task": "ner"},
            "some entity tags have a pref",
        ),
        (
            "x.conll",
            "Anna PER_B\nin O\n\nRome O\n",
            {"task": "ner"},
            "Line 1 .* is not an entity tag",
        ),
        (
            "x.conll",
            "Anna\nsleeps\n",
            {},
            "no column of tags after the tokens. Its columns: 0 .Anna, sleeps",
        ),
        ("x.jsonl", '{"text": "Anna", "spans": [[0, 9, "PER"]]}\n', {}, "is not in the text"),
        ("x.jsonl", '["text"]\n', {}, "Line 1 of .* is not an object, .*such as {.text.: "),
        (
            "x.jsonl",
            '{"id": "7", "tokens": ["Anna", "sleeps"], "ner_tags": [1, 0]}\n',
            {},
            "such as tokens=tokens,entities=ner_tags for entities. All roles",
        ),
        (
            "x.csv",
            "Sentence,Word,POS,Tag\n1,London,NNP,B-geo\n,sleeps,VBZ,O\n",
            {},
            "has a token in each row, in the column 'Word'.* the column 'Tag', on each line",
        ),
        ("x.txt", "A text.\nAnother text.\n", {"task": "textcat"}, "texts without annotation"),
        ("x.txt", "A text.\n", {"format": "xml"}, "'format' must be one of"),
        ("x.txt", "A text.\n", {"encoding": "utf-99"}, "'encoding' must be a text encoding"),
        (
            "x.jsonl",
            '{"text": "a", "tokens": ["a"], "tags": ["X", "Y"]}\n',
            {},
            "Line 1 of .* has 1 tokens, but 2 tags",
        ),
        (
            "x.jsonl",
            '{"text": "a", "cats": {"A": 1}}\n{"text": "b", "cats": {"A": "x"}}\n',
            {},
            "Line 2 of .* A = 'x' in the column 'cats' is not a number",
        ),
        ("x.jsonl", '{"text": null, "label": "A"}\n', {}, "not show one column of texts.*'text'"),
        ("x.jsonl", '{"text": "Anna", "entities": [[0, "x", "P"]]}\n', {}, "Line 1 .*an entity"),
        ("x.txt", "A text.\n", {"task": "parser"}, "'task' must be one of"),
        ("x.conllu", "1\tA\n\n", {}, "Line 1 of .*: 2 columns; write 10"),
    ],
)
def test_errors_name_the_place_and_the_solution(name, text, settings, message, nlp, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        list(detect(path, **settings).read(nlp))


def test_missing_label_values(nlp, tmp_path):
    path = tmp_path / "x.jsonl"
    rows = [{"A": None, "B": 1}, {"A": 0, "B": 1}, None]
    path.write_text("".join(json.dumps({"text": "a", "cats": row}) + "\n" for row in rows))
    file = detect(path)
    assert [doc.cats for doc in file.read(nlp)] == [{"B": 1.0}, {"A": 0.0, "B": 1.0}, {}]
    assert file.counts.problems == {"texts without a label, read without it": ["line 3"]}


def test_the_error_for_a_file_without_texts_describes_what_was_read(nlp, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,label\n ,x\n ,y\n")
    file = detect(path, columns={"text": "text", "label": "label"})
    with pytest.raises(ValueError, match="(?s)Read 0 documents.*columns used: .*left out: 2"):
        list(file.read(nlp))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="x.csv does not exist"):
        detect(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "name, counts",
    [
        ("wnut17train.conll.xz", (3394, 62730, 1975)),
        ("emerging.dev.conll.xz", (1009, 15733, 836)),
        ("emerging.test.annotated.xz", (1287, 23394, 1079)),
    ],
)
def test_wnut17_is_read_whole(name, counts, nlp, data_dir):
    """The counts are those of documents, tokens and entities."""
    file = detect(data_dir / "ner-wnut17" / name)
    docs = list(file.read(nlp))
    assert (len(docs), file.counts.tokens, file.counts.labels.total()) == counts
    assert all(token.ent_iob_ for doc in docs for token in doc)


@st.composite
def sentences(draw):
    """Labels of the entities of a sentence, None for a token outside of them, and their lengths."""
    labels = st.sampled_from([None, PER, LOC, "creative-work"])
    return [
        (label, 1 if label is None else draw(st.integers(1, 4)))
        for label in draw(st.lists(labels, min_size=1, max_size=8))
    ]


def encode(sentence, scheme):
    """The tags of a sentence. Places of tokens in entities: first, inner, last or single."""
    places = {"iob2": "BIIB", "biluo": "BILU", "bioes": "BIES", "bmes": "BMES"}
    tags, previous = [], None
    for label, length in sentence:
        for i in range(length):
            if label is None:
                tags.append("O")
            elif scheme == "iob1":
                tags.append(f"{'B' if i == 0 and label == previous else 'I'}-{label}")
            else:
                first, inner, last, single = places[scheme]
                place = single if length == 1 else first if i == 0 else inner
                tags.append(f"{last if i == length - 1 > 0 else place}-{label}")
        previous = label
    return tags


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "biluo", "bioes", "bmes"])
@settings(max_examples=40)
@given(document=st.lists(sentences(), min_size=1, max_size=3))
def test_every_scheme_gives_the_same_entities(scheme, document):
    expected, lines, start = [], [], 0
    for sentence in document:
        lines += [f"w {tag}" for tag in encode(sentence, scheme)] + [""]
        for label, length in sentence:
            if label:
                expected.append((start, start + length, label))
            start += length
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.conll"
        path.write_text("\n".join(lines) + "\n")
        (doc,) = detect(path, "ner", n_sents=len(document)).read(LANGUAGE)
    assert [(ent.start, ent.end, ent.label_) for ent in doc.ents] == expected


def test_a_first_row_whose_label_occurs_again_is_not_a_header(tmp_path):
    path = tmp_path / "texts.csv"
    rows = [f"The film number {i} was good.,{'pos' if i % 2 == 0 else 'neg'}" for i in range(20)]
    path.write_text("\n".join(rows) + "\n", encoding="utf8")
    found = detect(path)
    assert found.header is False and found.task == "textcat"
    assert len(list(found.read(spacy.blank("xx")))) == 20


@pytest.mark.parametrize("header, end", [("", ""), ("en\tfr\n", ""), ("", ".")])
def test_repeated_pairs_are_not_classes(header, end, tmp_path):
    pairs = [("how are you", "comment allez vous"), ("thanks a lot", "merci beaucoup à vous")]
    pairs += [
        ("where are they now", "où sont elles maintenant"),
        ("what time is it", "quelle heure est il"),
    ]
    path = tmp_path / "pairs.tsv"
    rows = "".join(f"{a}{end}\t{b}{end}\n" for a, b in pairs * 20)
    path.write_text(header + rows, encoding="utf8")
    assert detect(path).task == "translator"
    with pytest.raises(ValueError, match="text=.*,label=.* for classes, .*,translation=.* for"):
        detect(path, "regressor")


@pytest.mark.parametrize("column", ["rating", "Note"])
def test_numbers_with_decimal_commas(column, tmp_path):
    path = tmp_path / "ratings.csv"
    values = ["4,5", "1,25", "3"]
    path.write_text(f"text;{column}\n" + "".join(f"a b c {i};{values[i % 3]}\n" for i in range(30)))
    file = detect(path, None if column == "rating" else "regressor")
    assert file.task == "regressor"
    docs = list(file.read(spacy.blank("de")))
    assert [doc._.regression[column] for doc in docs[:3]] == [4.5, 1.25, 3.0]
    # For another task, the comma separates several labels.
    assert detect(path, "textcat_multilabel").separator == ","
    if column == "Note":
        with pytest.raises(ValueError, match="with a comma, or several labels that are numbers"):
            detect(path)


def test_separators_of_thousands_are_an_error(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("text;price\n" + "".join(f"a b c {i};1,{i + 100}\n" for i in range(30)))
    with pytest.raises(ValueError, match="numbers with a comma, or several labels that are"):
        detect(path)
    assert detect(path, "regressor").columns == {"text": "text", "regression": "price"}
    path.write_text('text,price\na b c,"1,234"\nd e f,"12,5"\n')
    file = detect(path, "regressor", columns={"text": "text", "regression": "price"})
    with pytest.raises(ValueError, match="Line 2 .* is not a number. .* thousands"):
        list(file.read(spacy.blank("de")))


def test_missing_numbers(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("text,x\na b,1.5\nc d,NaN\ne f,nan\ng h,\n")
    docs = detect(path, columns={"text": "text", "regression": "x"}).read(spacy.blank("xx"))
    assert [doc._.regression for doc in docs] == [{"x": 1.5}, None, None, None]


@pytest.mark.parametrize("name, number", [("x", "{}.5"), ("rating", "{}")])
def test_other_names_for_missing_numbers_are_not_labels(name, number, tmp_path):
    path = tmp_path / "ratings.csv"
    values = [number.format(i % 7) if i % 2 else "n/a" for i in range(30)]
    path.write_text(f"text,{name}\n" + "".join(f"a b c,{value}\n" for value in values))
    file = detect(path)
    assert file.task == "regressor"
    with pytest.raises(ValueError, match=r"Line 2 .* 'n/a' .* leave it empty if it is missing\.$"):
        list(file.read(spacy.blank("xx")))
    assert detect(path, "textcat").columns == {"text": "text", "label": name}


@pytest.mark.parametrize("no, yes", [("0", "1"), ("FALSE", "TRUE"), ("false", "true")])
def test_a_column_for_each_label(no, yes, tmp_path):
    path = tmp_path / "flags.csv"
    rows = [f"a b c {i},{yes if i % 2 else no},{no if i % 3 else yes}\n" for i in range(12)]
    path.write_text("text,rude,spam\n" + "".join(rows))
    file = detect(path)
    assert (file.task, file.columns) == (
        "textcat_multilabel",
        {"text": "text", "cats": ["rude", "spam"]},
    )
    docs = list(file.read(spacy.blank("xx")))
    assert [doc.cats for doc in docs[:2]] == [{"rude": 0, "spam": 1}, {"rude": 1, "spam": 0}]
    if no == "false":
        path = tmp_path / "flags.jsonl"
        path.write_text(
            "".join(
                f'{{"text": "a b c {i}", "rude": {(no, yes)[i % 2]}, "spam": {no}}}\n'
                for i in range(12)
            )
        )
        assert detect(path).columns == file.columns


@pytest.mark.parametrize("label", ["entailment", "0", "2.5"])
def test_labels_of_pairs_of_texts_are_not_labels_of_the_first(label, tmp_path):
    path = tmp_path / "pairs.csv"
    rows = [f"the cat {i} sleeps.,the dog {i} eats.,{label}\n" for i in range(9)]
    path.write_text("sentence1,sentence2,label\n" + "".join(rows))
    with pytest.raises(ValueError, match="not show one column of texts.*text=sentence1,label=la"):
        detect(path)
    file = detect(path, columns={"text": "sentence2", "label": "label"})
    assert file.columns == {"text": "sentence2", "label": "label"}
    path.write_text("sentence,answer,label\n" + "".join(rows))
    assert detect(path).columns["text"] == "sentence"


def test_columns_that_are_empty_or_constant(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"a b c {i},{'xy'[i % 2]},de,\n" for i in range(10)]
    path.write_text("text,kind,lang,\n" + "".join(rows))
    file = detect(path)
    assert file.columns == {"text": "text", "label": "kind"} and file.header
    assert "ignored: lang, 3 (empty)" in file.describe()[-1]
    path.write_text("id,text,label\n" + "".join(f"{i},a b c {i},\n" for i in range(9)))
    with pytest.raises(ValueError, match="without values: .'label'.* such as text=text,label=id"):
        detect(path, "textcat")


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a.txt"])
@pytest.mark.parametrize("start", [b"PK\x03\x04", b"%PDF-1.4", b"\x1f\x8b\x08"])
def test_files_that_are_not_text(name, start, tmp_path):
    path = tmp_path / name
    path.write_bytes(start + bytes(100))
    with pytest.raises(ValueError, match="is not text, but a spreadsheet, .* save it as text"):
        detect(path)


def test_an_object_around_the_list_is_an_error(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"version": 1, "data": [{"text": "a b c", "label": "x"}]}')
    with pytest.raises(ValueError, match="is one object, whose 'data' is a list of texts"):
        detect(path)


@pytest.mark.parametrize("layout", ["[%s, %s]", "%s\n%s\n"])
def test_training_data_of_spacy_2(layout, nlp, tmp_path):
    path = tmp_path / ("a.json" if layout[0] == "[" else "a.jsonl")
    first = '["Anna sleeps.", {"entities": [[0, 4, "PER"]]}]'
    path.write_text(layout % (first, '["It rained.", {"entities": []}]'))
    file = detect(path)
    assert file.task == "ner"
    docs = [of_entities(doc) for doc in file.read(nlp)]
    assert docs == [("Anna sleeps.", [("Anna", PER)]), ("It rained.", [])]
    path = tmp_path / "b.json"
    path.write_text(f'{{"classes": ["PER"], "annotations": [{first}]}}')
    with pytest.raises(ValueError, match="is one object, whose 'annotations' is a list of texts"):
        detect(path)


def test_tags_in_front_of_their_tokens(nlp, tmp_path):
    path = tmp_path / "movies.txt"
    path.write_text("O\tThe\nB-TITLE\tEnglish\nI-TITLE\tPatient\n\nO\tHello\n" * 2)
    file = detect(path)
    assert file.columns == {"tokens": "1", "entities": "0"}
    assert of_entities(next(file.read(nlp)))[1] == [("English Patient", "TITLE")]


def test_a_folder_of_train_and_test_parts_is_an_error(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part / "good").mkdir(parents=True)
        (tmp_path / part / "good" / "1.txt").write_text("A text.")
    with pytest.raises(ValueError, match="a folder for each part, such as train and test, choose"):
        detect(tmp_path)
    assert detect(tmp_path / "train").format == "folders"
