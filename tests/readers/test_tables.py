"""Tables: the format of each file ending in both readers of text files, and settings."""

import bz2
import csv
import gzip
import logging
import lzma
import re

import pytest
import spacy
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.readers.corpus import Corpus
from spacy_rnn.readers.parallel import ParallelCorpus
from spacy_rnn.readers.tables import RULES, TableFormat, check_table, read_rows
from spacy_rnn.text_files import ending_of

PACKED = [
    (".gz", gzip.compress),
    (".xz", lzma.compress),
    (".bz2", bz2.compress),
    (".zst", zstandard.compress),
]


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def labels(nlp, path, **options):
    """Texts and their labels, read with Corpus."""
    options = {"columns": {"text": "text", "label": "label"}, **options}
    if ending_of(path) in RULES:
        options = {"header": True, **options}
    return [
        (eg.text, next((label for label, value in eg.reference.cats.items() if value), None))
        for eg in Corpus(path, **options)(nlp)
    ]


def pairs(nlp, path, **options):
    """Texts and their translations, read with ParallelCorpus."""
    corpus = ParallelCorpus(path, **{"header": True, **options})
    return [(eg.text, eg.reference._.translation) for eg in corpus(nlp)]


def read(nlp, path, **options):
    """The first two columns, which must be the same with both readers."""
    found = labels(nlp, path, **options)
    assert pairs(nlp, path, source="text", target="label", **options) == found
    return found


def error(nlp, path, **options):
    """The error message, which must be the same with both readers."""
    with pytest.raises(ValueError) as of_labels:
        labels(nlp, path, **options)
    with pytest.raises(ValueError) as of_pairs:
        pairs(nlp, path, source="text", target="label", **options)
    assert str(of_labels.value) == str(of_pairs.value)
    return str(of_labels.value)


# One format for each ending


def test_quotes_are_text_in_tsv(nlp, tmp_path):
    text = 'text\tlabel\n"Go" now\tx\nIt is 5" long\ty\n"Open\tx\nEnd"\t"z\n'
    expected = [('"Go" now', "x"), ('It is 5" long', "y"), ('"Open', "x"), ('End"', '"z')]
    for name, sent in (("a.tsv", text), ("crlf.tsv", text.replace("\n", "\r\n"))):
        assert read(nlp, write(tmp_path / name, sent)) == expected


def test_fields_are_quoted_in_csv(nlp, tmp_path):
    text = 'text,label\n"Go, ""now""\nor later",x\nIt is 5" long,"y, z"\n'
    expected = [('Go, "now"\nor later', "x"), ('It is 5" long', "y, z")]
    assert read(nlp, write(tmp_path / "a.csv", text)) == expected
    expected[0] = ('Go, "now"\r\nor later', "x")
    assert read(nlp, write(tmp_path / "crlf.csv", text.replace("\n", "\r\n"))) == expected


def test_fields_are_not_converted(nlp, tmp_path):
    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t")):
        rows = ["text,label", "NA,None", "null,nan", "n/a,NaN", "2.50,007", "true,7.0", "x,7"]
        path = write(tmp_path / name, "\n".join(rows).replace(",", delimiter))
        assert read(nlp, path) == [tuple(row.split(",")) for row in rows[1:]]


# Byte-order marks and encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "name, text",
    [
        ("a.csv", "text,label\né,ß\nb,c\n"),
        ("a.tsv", "text\tlabel\né\tß\nb\tc\n"),
        ("a.jsonl", '{"text": "é", "label": "ß"}\n{"text": "b", "label": "c"}\n'),
        ("a.json", '[{"text": "é", "label": "ß"},\n{"text": "b", "label": "c"}]\n'),
    ],
)
def test_a_byte_order_mark_is_ignored(nlp, tmp_path, name, text, encoding):
    path = write(tmp_path / name, text, encoding)
    assert read(nlp, path) == [("é", "ß"), ("b", "c")]


@pytest.mark.parametrize("ending, pack", PACKED)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_compressed_files(nlp, tmp_path, name, ending, pack):
    text = {
        "a.csv": '\ufefftext,label\n"a,b",c\n',
        "a.tsv": "\ufefftext\tlabel\na,b\tc\n",
        "a.jsonl": '\ufeff{"text": "a,b", "label": "c"}\n',
    }[name]
    path = tmp_path / f"{name}{ending}"
    path.write_bytes(pack(text.encode()))
    assert read(nlp, path) == [("a,b", "c")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_in_lines_of_text(nlp, tmp_path, encoding):
    path = write(tmp_path / "a.txt", "é\nb\n", encoding)
    other = write(tmp_path / "b.txt", "ß\nc\n")
    assert pairs(nlp, path, target_path=other, header=False) == [("é", "ß"), ("b", "c")]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_an_encoding_can_be_set(nlp, tmp_path, name):
    text = {
        "a.csv": "text,label\né,ß\n",
        "a.tsv": "text\tlabel\né\tß\n",
        "a.jsonl": '\n{"text": "é", "label": "ß"}',
    }[name]
    path = write(tmp_path / name, text, "cp1252")
    assert read(nlp, path, encoding="cp1252") == [("é", "ß")]
    assert f"Line 2 of {path} is not UTF-8" in error(nlp, path)


@pytest.mark.parametrize("name, delimiter", [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t")])
@pytest.mark.parametrize("text", ["a,x\rb,y\r", "a,x\nb\rc,y\n", "a,x\n\r,y\n"])
def test_a_carriage_return_alone_does_not_end_a_line(nlp, tmp_path, name, delimiter, text):
    path = write(tmp_path / name, text.replace(",", delimiter))
    for read in (labels, pairs):
        with pytest.raises(ValueError, match=rf"of {path} has a carriage return.*'\\r' '\\n'"):
            read(nlp, path, header=False)


def test_a_carriage_return_between_quotes_is_text(nlp, tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"a\rb",x\r\n"c\rd",y\n')
    assert read(nlp, path) == [("a\rb", "x"), ("c\rd", "y")]


# Settings


def test_settings_of_a_table(nlp, tmp_path):
    path = write(tmp_path / "a.csv", "text;label\n'a', \"b;c\n", "utf-8")
    assert read(nlp, path, delimiter=";", quotes=False) == [("'a', \"b", "c")]
    path = write(tmp_path / "b.tsv", 'text\tlabel\n"a\tb"\t"c""d"\n')
    assert read(nlp, path, quotes=True) == [("a\tb", 'c"d')]
    path = write(tmp_path / "c.csv", "a,x\nb,y\n")
    columns = {"text": "0", "label": "1"}
    assert labels(nlp, path, header=False, columns=columns) == [("a", "x"), ("b", "y")]
    assert pairs(nlp, path, header=False) == [("a", "x"), ("b", "y")]
    path = write(tmp_path / "d.txt", "a|x\nb|y\n")
    assert pairs(nlp, path, header=False, delimiter="|") == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n"])
@pytest.mark.parametrize("options", [{}, {"delimiter": ";"}])
def test_a_first_line_may_declare_the_delimiter(nlp, tmp_path, line, options):
    path = write(tmp_path / "a.csv", f'\ufeff{line}text;label\n"a;b";x\n')
    assert read(nlp, path, **options) == [("a;b", "x")]
    path = write(tmp_path / "a.tsv", f"{line}text;label\na,b;x\nc\n")
    assert "Line 4 of" in error(nlp, path, **options)
    path = write(tmp_path / "b.csv", f"{line}text,label\na,x\n")
    assert read(nlp, path, delimiter=",") == [("a", "x")]
    path = write(tmp_path / "c.csv", "text,label\nsep=;,x\n")
    assert read(nlp, path) == [("sep=;", "x")]


@pytest.mark.parametrize("delimiter", ["", "::", '"', "\n"])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ValueError, match="'delimiter' must be one character"):
        ParallelCorpus("a.csv", delimiter=delimiter)


def test_an_encoding_must_be_known():
    for encoding in ("utf-9", "base64", ""):
        with pytest.raises(ValueError, match="'encoding' must be a text encoding of Python"):
            ParallelCorpus("a.csv", encoding=encoding)


def test_settings_of_tables_for_other_formats_are_errors(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": "b"}')
    with pytest.raises(ValueError, match=r"\['quotes'\] apply only to files that end in"):
        pairs(nlp, path, quotes=True)
    with pytest.raises(ValueError, match=r"\['quotes'\] do not apply to .* whose format is 'json'"):
        labels(nlp, path, quotes=True)


def test_names_must_be_in_the_header(nlp, tmp_path):
    path = write(tmp_path / "a.csv", "en,fr\na,b\n")
    with pytest.raises(
        ValueError, match=r"no column \['source', 'target'\]. Its columns: \['en', 'fr'\]"
    ):
        pairs(nlp, path)
    assert pairs(nlp, path, source="fr", target="en") == [("b", "a")]


def test_another_delimiter_is_recognized(nlp, tmp_path):
    for name, others in (("a.csv", ";\t|"), ("a.tsv", ",;|")):
        for delimiter in others:
            path = write(tmp_path / name, f"text{delimiter}label\na{delimiter}b\n")
            assert labels(nlp, path) == read(nlp, path, delimiter=delimiter) == [("a", "b")]
    path = write(tmp_path / "b.csv", "text;label\na\n")
    assert labels(nlp, path, columns={"text": "text;label"}, delimiter=",") == [("a", None)]


def test_another_delimiter_between_quotes_is_recognized_or_noticed(nlp, tmp_path):
    for delimiter in ";\t|":
        for text in (f'"text"{delimiter}"label"\r\n', f'"text"{delimiter}label\n'):
            path = write(tmp_path / "a.csv", text + f'"a, b"{delimiter}"x"\n')
            assert labels(nlp, path) == read(nlp, path, delimiter=delimiter) == [("a, b", "x")]
            message = f"If {delimiter!r} separates the columns, set delimiter"
            with pytest.raises(ValueError, match=re.escape(message)):
                pairs(nlp, path, source="text", target="label")
    path = write(tmp_path / "a.csv", '"text" "label"\n"a" "x"\n')
    assert "If ' ' separates the columns, set delimiter" in error(nlp, path)


# Too many or too few fields


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    "rows, message, cure",
    [
        (["a,x,", "b,y"], "Line 2 of {} has 3 fields", "remove the delimiter at the end"),
        (["a,x,", "b,y,"], "Line 2 of {} has 3 fields", "remove the delimiter at the end"),
        (["Well, a,x", "b,y"], "Line 2 of {} has 3 fields", "Quote fields that contain"),
        (
            ["a,x", '"b\nb",y', "Well, b,y"],
            "Line 5 of {} has 3 fields",
            "Quote fields that contain",
        ),
        (["a,x", "b,y", "c", "d"], "Line 4 of {} has 1 field,", "an empty field if one"),
        (["1,a,x", "2,b,y"], "Line 2 of {} has 3 fields", "row names"),
        (["Well, a,x", "Oh, b,y"], "Line 2 of {} has 3 fields", "Quote fields that contain"),
        (['x, "a, b"', "b,y"], "Line 2 of {} has 3 fields", "without a space before the quote"),
        (["a,x", '""', "b,y"], "Line 3 of {} has 1 field,", "an empty field if one"),
        (["a,x", "\u2028", "b,y"], "Line 3 of {} has 1 field,", "an empty field if one"),
    ],
)
def test_rows_of_another_length_than_the_header_are_an_error(
    nlp, tmp_path, mark, rows, message, cure
):
    path = write(tmp_path / "a.csv", mark + "\n".join(["text,label", *rows]) + "\n")
    found = error(nlp, path)
    assert message.format(path) in found and "header has 2 (text, label)" in found
    assert cure in found


def test_how_many_rows_differ_is_counted(nlp, tmp_path):
    rows = ["text\tlabel", "a\tx", "b\tx\ty", "c\tx", "d", "e\tx\ty"]
    message = error(nlp, write(tmp_path / "a.tsv", "\n".join(rows)))
    assert "Line 3 of" in message and "has 3 fields" in message
    assert "another number: 3 of 5." in message and "set --quotes (quotes = true)" in message


def test_a_header_of_another_length_than_all_rows(nlp, tmp_path):
    message = error(nlp, write(tmp_path / "a.csv", "text,label,\na,x\nb,y\n"))
    assert "2 of 2. Remove the delimiter at the end of the header." in message
    path = write(tmp_path / "b.csv", "# news\ntext,label\na,x\n")
    with pytest.raises(ValueError, match="2 of 2.*If '# news' is not the header, remove its line"):
        labels(nlp, path)


def test_quoted_line_breaks_in_tsv(nlp, tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"a\nb"\tx\n')
    assert "if fields are quoted, set --quotes" in error(nlp, path)
    assert read(nlp, path, quotes=True) == [("a\nb", "x")]


def test_row_names_written_by_r(nlp, tmp_path):
    path = write(tmp_path / "a.csv", '"text","label"\n"1","a","x"\n"2","b",""\n')
    message = error(nlp, path)
    assert "another number: 2 of 2." in message and "row.names = FALSE" in message
    path = write(tmp_path / "b.csv", '"","text","label"\n"1","a","x"\n"2","b","y"\n')
    assert read(nlp, path) == [("a", "x"), ("b", "y")]


def test_quotes_that_are_not_paired(nlp, tmp_path):
    for rows in (['"a,x', 'b "c",y'], ['"a" b,x'], [r'"a \"b\" c",x'], ['"a,x', "b,y"]):
        path = write(tmp_path / "a.csv", "\n".join(["text,label", "c,z", *rows]) + "\n")
        message = error(nlp, path)
        assert f"The row that begins in line 3 of {path} has unpaired quotes" in message


def test_long_fields_and_blank_lines(nlp, tmp_path):
    path = write(tmp_path / "a.csv", f'\n"{"a " * 100_000}",b\n\n \nc,d\n')
    rows = list(read_rows(path, TableFormat()))
    assert [(number, len(fields[0])) for number, fields in rows] == [(2, 200_000), (5, 1)]


def test_an_empty_file(nlp, tmp_path):
    write(tmp_path / "a.csv", "")
    with pytest.raises(ValueError, match="a.csv is empty"):
        labels(nlp, tmp_path / "a.csv")
    with pytest.raises(ValueError, match="0 were read"):
        pairs(nlp, tmp_path / "a.csv")


# Quotes that may be wrong


def test_a_tsv_file_that_looks_quoted_is_a_warning(nlp, tmp_path, caplog):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"a ""b"" c"\tx\n"d, e"\ty\nf\tx\n')
    corpus = ParallelCorpus(path, header=True, source="text", target="label")
    assert [eg.text for eg in corpus(nlp)][0] == '"a ""b"" c"'
    assert len(list(corpus(nlp))) == len(labels(nlp, path)) == 3
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(messages) == 1
    assert f"{path}: all fields that begin with a quote (2) also end with one" in messages[0]
    caplog.clear()
    assert read(nlp, path, quotes=True)[0] == ('a "b" c', "x")
    read(nlp, path, quotes=False)
    read(nlp, write(tmp_path / "b.tsv", 'text\tlabel\n"a"\tx\n"b\tx\n'))
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_a_space_in_front_of_quotes_is_a_warning(nlp, tmp_path, caplog):
    path = write(tmp_path / "a.csv", 'text,label\n"a b", "x"\n"c, d", "y"\n')
    assert [label for _, label in read(nlp, path)] == ['"x"', '"y"']
    read(nlp, path)
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(messages) == 1
    assert f"{path}: 2 fields have a space in front of their quotes" in messages[0]
    caplog.clear()
    read(nlp, write(tmp_path / "b.csv", 'text,label\nx, "a" b\ny, "c"\n'))
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


# All tables


fields = st.text(st.sampled_from('ab",;\t\n\r é'), max_size=6)
table = st.integers(2, 3).flatmap(
    lambda n: st.lists(st.lists(fields, min_size=n, max_size=n), min_size=1, max_size=5)
)


@given(table)
@settings(max_examples=100)
def test_files_of_the_csv_module_are_read(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "written.csv"
    with path.open("w", encoding="utf8", newline="") as file:
        csv.writer(file).writerows(rows)
    assert [row for _, row in read_rows(path, TableFormat())] == rows
    assert check_table(path, TableFormat(delimiter=",", header=False)) == rows[0]


def test_both_readers_read_tatoeba_alike(nlp, tmp_path, data_dir):
    """Both readers give the same pairs, including quotes."""
    source = data_dir / "mt-tatoeba-en-fr" / "fra.txt.xz"
    chosen = [row for _, row in read_rows(source, TableFormat()) if '"' in "".join(row)]
    lines = ["\t".join(row) + "\n" for row in [["text", "label"], *chosen]]
    path = write(tmp_path / "a.tsv", "".join(lines))
    columns = {"text": "text", "translation": "label"}
    corpus = Corpus(path, columns=columns, header=True)
    found = [(eg.text, eg.reference._.translation) for eg in corpus(nlp)]
    assert len(found) == len(chosen) > 190
    assert found == pairs(nlp, path, source="text", target="label")
    assert found == [tuple(row[:2]) for row in chosen]


def test_columns_without_a_name_have_a_number(nlp, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",text,label\n0,a,x\n1,b,y\n")
    assert labels(nlp, path) == [("a", "x"), ("b", "y")]
