"""Text files give the same lines with any encoding and compression."""

import bz2
import gzip
import lzma

import pytest
import zstandard

from spacy_rnn.text_files import decode, encoding_of, ending_of, open_text, read_json, read_lines

LINES = ["Né à Łódź", "", "a\u2028b\x85c\x0bd", "\ufeffend"]
TEXT = "\n".join(LINES)
PACKED = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
}
#: encodings with a byte-order mark
MARKED = ["utf-8-sig", "utf-16", "utf-32"]


def write(path, data):
    path.write_bytes(PACKED[path.suffix if path.suffix in PACKED else ""](data))
    return path


def error(read, *arguments):
    with pytest.raises(ValueError) as raised:
        list(read(*arguments))
    return str(raised.value)


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("encoding", ["utf-8", *MARKED])
def test_a_byte_order_mark_tells_the_encoding_and_is_not_part_of_the_text(
    tmp_path, encoding, ending
):
    path = write(tmp_path / f"a.txt{ending}", TEXT.encode(encoding))
    assert list(read_lines(path)) == LINES
    assert list(read_lines(path, "utf-8")) == LINES
    assert encoding_of(path) == encoding
    assert decode(TEXT.encode(encoding), "a.txt") == TEXT


def test_big_endian_marks(tmp_path):
    path = write(tmp_path / "a.txt", b"\xfe\xff" + TEXT.encode("utf-16-be"))
    assert list(read_lines(path)) == LINES


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "gb18030"])
def test_an_encoding_can_be_given(tmp_path, encoding):
    path = write(tmp_path / "a.txt", "é\nü\n".encode(encoding))
    assert list(read_lines(path, encoding)) == ["é", "ü"]


def test_line_feeds_end_lines_with_or_without_a_carriage_return(tmp_path):
    path = write(tmp_path / "a.txt", b"a\r\nb\n\nc\r")
    assert list(read_lines(path)) == ["a", "b", "", "c"]
    with open_text(path, newline="") as file:
        assert file.read() == "a\r\nb\n\nc\r"


@pytest.mark.parametrize("data", [b"a\r\nb\r\r\n", b"a\nc\rd\n", b"a\nb\rc\rd\r"])
def test_other_carriage_returns_are_an_error(tmp_path, data):
    path = write(tmp_path / "a.txt", data)
    assert f"Line 2 of {path} has a carriage return" in error(read_lines, path)


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_line_in_another_encoding_is_named(tmp_path, ending, start):
    data = start + ("é" * 99 + "\n").encode() * 6000 + b"caf\xe9\nb\n"
    path = write(tmp_path / f"a.txt{ending}", data)
    message = error(read_lines, path)
    assert f"Line 6001 of {path} is not UTF-8" in message and "iconv" in message
    with pytest.raises(ValueError, match="Line 6001 of a.txt is not UTF-8"):
        decode(data, "a.txt")


def test_a_file_that_ends_inside_a_character(tmp_path):
    path = write(tmp_path / "a.txt", "a\né".encode()[:-1])
    assert f"Line 2 of {path} is not UTF-8 (unexpected end of data)" in error(read_lines, path)


def test_utf_16_without_a_mark_is_an_error_that_names_the_encoding(tmp_path):
    path = write(tmp_path / "a.txt", "Жa\n".encode("utf-16-le"))
    assert f"{path} has zero bytes" in error(read_lines, path)
    assert "UTF-16" in error(decode, path.read_bytes(), "a.txt")


@pytest.mark.parametrize("ending", [ending for ending in PACKED if ending])
def test_a_damaged_file_is_an_error(tmp_path, ending):
    path = write(tmp_path / f"a.txt{ending}", bytes(range(256)) * 8)
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], b"not compressed"):
        path.write_bytes(damaged)
        assert f"{path} is damaged" in error(read_lines, path)


def test_missing_files_and_folders_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_lines(tmp_path / "none.txt"))
    with pytest.raises(OSError, match="directory"):
        list(read_lines(tmp_path))


def test_zstandard_without_its_package(tmp_path, hide):
    for name in ("compression", "backports"):
        hide(name)
    with pytest.raises(ImportError, match=r"a.txt.zst needs .*spacy-rnn\[zstd\].*, or unpack"):
        list(read_lines(tmp_path / "a.txt.zst"))


@pytest.mark.parametrize(
    "name, ending",
    [("a.TSV.Gz", ".tsv"), ("a.b.jsonl.zst", ".jsonl"), ("a.xz", ""), ("a", ""), ("a.txt", ".txt")],
)
def test_the_ending_is_that_of_the_format(tmp_path, name, ending):
    assert ending_of(tmp_path / name) == ending


# JSON


def values(path):
    return [value for _, value in read_json(path)]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_has_a_value_per_line_or_one_list(tmp_path, mark):
    lines = write(tmp_path / "a.json", f'{mark}{{"a": 1}}\n\n{{"a": 2}}\n'.encode())
    assert list(read_json(lines)) == [
        (f"Line 1 of {lines}", {"a": 1}),
        (f"Line 3 of {lines}", {"a": 2}),
    ]
    a_list = write(tmp_path / "b.json", f'{mark}\n[\n{{"a": 1}},\n{{"a":\n2}}]\n'.encode())
    assert list(read_json(a_list)) == [
        (f"Item 1 of {a_list}", {"a": 1}),
        (f"Item 2 of {a_list}", {"a": 2}),
    ]
    assert values(write(tmp_path / "a.jsonl", b"[1]\n[2]\n")) == [[1], [2]]
    for text in ('{"a":\n1}', '{"a": 1}', '\n[{"a": 1}]'):
        assert values(write(tmp_path / "a.json", (mark + text).encode())) == [{"a": 1}]


def test_malformed_json_is_named(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"a": 1}\n{"a": \n')
    assert f"Line 2 of {path} is not valid JSON" in error(read_json, path)
    for data, place in ((b'[{"a": 1},\n', "line 1"), (b'\n\n{"a": 1},\n', "line 3")):
        path = write(tmp_path / "a.json", data)
        message = error(read_json, path)
        assert f"{path} is not valid JSON" in message and place in message
    path = write(tmp_path / "a.jsonl", b'{"a": "\\ud83e\\udd5a"}\n{"a": "\\uD83E"}\n')
    assert f"Line 2 of {path} has half of a surrogate pair" in error(read_json, path)


def test_a_wrong_byte_order_mark(tmp_path):
    message = error(read_lines, write(tmp_path / "a.txt", b"\xff\xfea\x00b"))
    assert "Line 1 of" in message and "is not UTF-16" in message
    assert "byte-order mark" in message and "cp1252" not in message
