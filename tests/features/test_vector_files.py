"""Files of word vectors: written vectors are read, and messages name what can't be read."""

import bz2
import gzip
import lzma
import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spacy_rnn.features.vector_files import read_vectors


def is_number(part):
    try:
        float(part)
    except ValueError:
        return False
    return True


def fits_on_a_line(word):
    """Whether a word can be told apart from the numbers on its line. Three kinds of words can't: a
    word with spaces whose last part is a number looks like one number too many, one that ends with
    a space looks like columns that are aligned by spaces, and one with a TAB before a number looks
    like a word that ends at the TAB."""
    parts = word.encode().split(b" ")
    after_tab = word.rpartition("\t")[2].encode().split(b" ")
    return (
        not {"\n", "\r"} & set(word)
        and not word.endswith(" ")
        and (len(parts) == 1 or not is_number(parts[-1]))
        and ("\t" not in word or not all(map(is_number, after_tab)))
    )


def fits_an_entry(word):
    return " " not in word and not word.startswith("\n")


characters = st.one_of(
    st.sampled_from("aB7.# \r\n\t\0\u00a0\u2028é日🥚"), st.characters(codec="utf8")
)
words = st.text(characters, min_size=1, max_size=6)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tables(accepted):
    """Distinct words with their vectors."""

    def with_vectors(keys_and_width):
        keys, width = keys_and_width
        row = st.lists(finite, min_size=width, max_size=width)
        return st.tuples(st.just(keys), st.lists(row, min_size=len(keys), max_size=len(keys)))

    keys = st.lists(words.filter(accepted), min_size=1, max_size=8, unique=True)
    return st.tuples(keys, st.integers(1, 4)).flatmap(with_vectors)


def write_text(path, keys, rows, header=True, end="\n"):
    lines = [
        " ".join([key, *map(repr, map(float, row))]) for key, row in zip(keys, rows, strict=True)
    ]
    first = [f"{len(keys)} {len(rows[0])}"] if header else []
    path.write_bytes("".join(line + end for line in [*first, *lines]).encode())


def write_binary(path, keys, rows, end=b"\n"):
    """`end`: a line feed as in files of word2vec, nothing as in files of gensim."""
    entries = [
        key.encode() + b" " + np.array(row, dtype="<f4").tobytes() + end
        for key, row in zip(keys, rows, strict=True)
    ]
    path.write_bytes(b"%d %d\n" % (len(keys), len(rows[0])) + b"".join(entries))


def assert_read(path, keys, rows, needed, n_first):
    """Check that the needed and the first words are read, in the file's order, and that their
    vectors are equal bit for bit."""
    table = read_vectors(path, needed, n_first)
    last = len(keys) if n_first is None else n_first
    chosen = [i for i, key in enumerate(keys) if i < last or key in needed]
    assert table.keys == [keys[i] for i in chosen]
    expected = np.array([rows[i] for i in chosen], dtype="float32").reshape(-1, len(rows[0]))
    assert table.vectors.dtype == np.float32
    np.testing.assert_array_equal(table.vectors, expected)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("vectors") / "vectors"


counts = st.one_of(st.none(), st.integers(0, 9))
subsets = st.sets(st.integers(0, 7))


@given(
    tables(fits_on_a_line), subsets, counts, st.booleans(), st.sampled_from(["\n", " \n", "\r\n"])
)
@example((["a", "New York", ". . .", " ", "\u00a0"], [[1.0]] * 5), {1, 3}, 0, False, "\n")
@example((["7", "8 a", "9"], [[2.0]] * 3), {0, 1, 2}, 0, False, "\n")
@settings(max_examples=200)
def test_text_files_are_read_unchanged(file, table, subset, n_first, header, end):
    keys, rows = table
    # Most words have no spaces.
    plain = [f"plain-{i}" for i in range(len(keys) + 1)]
    keys, rows = [*keys, *plain], [*rows, *[rows[0]] * len(plain)]
    write_text(file, keys, rows, header, end)
    needed = {keys[i] for i in subset if i < len(keys)}
    assert_read(file, keys, rows, {*needed, "none"}, n_first)


@given(tables(fits_an_entry), subsets, counts, st.sampled_from([b"\n", b""]))
@settings(max_examples=200)
def test_binary_files_are_read_unchanged(file, table, subset, n_first, end):
    keys, rows = table
    rows = [[*row, 1.0] for row in rows]  # no text has the bytes of 1.0
    write_binary(file, keys, rows, end)
    needed = {keys[i] for i in subset if i < len(keys)}
    assert_read(file, keys, rows, needed, n_first)


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_files_longer_than_the_part_that_is_read_at_once(file, write):
    keys = [f"word{i}" for i in range(9000)]
    rows = np.random.default_rng(0).normal(size=(9000, 60)).astype("float32")
    write(file, keys, rows)
    assert file.stat().st_size > 2 << 20
    assert_read(file, keys, rows, {"word0", "word4321", "word8999"}, 2)


PACKED = [
    (".gz", gzip.compress),
    (".xz", lzma.compress),
    (".bz2", bz2.compress),
    (".zst", zstandard.ZstdCompressor(write_checksum=True).compress),
]


@pytest.mark.parametrize("suffix, pack", PACKED)
@pytest.mark.parametrize("write", [write_text, write_binary])
def test_compressed_files(tmp_path, write, suffix, pack):
    write(tmp_path / "plain", ["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
    packed = tmp_path / f"vectors.txt{suffix}"
    packed.write_bytes(pack((tmp_path / "plain").read_bytes()))
    assert_read(packed, ["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]], {"dog"}, 0)


def test_real_files_are_read_like_by_numpy(data_dir):
    """GloVe files with and without a header; numpy parses each file completely."""
    for path in sorted((data_dir / "vectors-glove").glob("*.txt.xz")):
        lines = lzma.open(path, "rt", encoding="utf8").read().splitlines()
        rows = dict(line.split(" ", 1) for line in lines if line.count(" ") > 1)
        table = read_vectors(path, (), None)
        assert table.keys == list(rows)
        expected = np.loadtxt(rows.values(), dtype="float64").astype("float32")
        np.testing.assert_array_equal(table.vectors, expected)


@pytest.mark.parametrize("after_word, between", [("\t", " "), ("\t", "\t"), (" ", " ")])
@pytest.mark.parametrize("header", ["", "4 3\n", "4\t3\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", " \n", "\t\r\n"])
def test_separators_of_words_and_numbers(file, caplog, after_word, between, header, mark, end):
    rows = {"the": [0.5, 1, 2], "7": [3, 4, 5], "cat's": [6, 7, 8], "é": [9, 1e-3, -1]}
    lines = [key + after_word + between.join(map(str, row)) for key, row in rows.items()]
    file.write_text(mark + header + "".join(line + end for line in lines), encoding="utf8")
    table = read_vectors(file, {"é"}, 2)
    assert table.keys == ["the", "7", "é"]
    np.testing.assert_array_equal(
        table.vectors, np.array([rows[key] for key in table.keys], dtype="float32")
    )
    assert not caplog.messages


def test_words_before_a_tab_may_have_spaces(file, caplog):
    file.write_text("the\t1 2\nNew York\t3 4\narea 51\t5 6\nodd\t1\n\t1 2\n")
    table = read_vectors(file, (), None)
    assert table.keys == ["the", "New York", "area 51"]
    assert table.vectors.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert caplog.messages == [f"Invalid lines in {file}: 2 of another width, skipped (4, 5)."]


def test_a_byte_order_mark_before_binary_vectors(file):
    write_binary(file, ["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_vectors(file, (), None).keys == ["cat", "dog"]


# What can't be read


SKIPPED = [
    ("dog 1", "1 of another width, skipped (3)"),
    ("dog 1 2 3", "1 of another width, skipped (3)"),
    ("dog 1  ", "1 of another width, skipped (3)"),
    (" 1 2", "1 of another width, skipped (3)"),
    ("dog", "1 of another width, skipped (3)"),
    ("", "1 of another width, skipped (3)"),
    ("a\ndog 1", "2 of another width, skipped (3, 4)"),
    ("dog 1 x", "1 with values that are not finite numbers, skipped (3)"),
    ("dog 1 \udce9", "1 with values that are not finite numbers, skipped (3)"),
    ("dog nan 1", "1 with values that are not finite numbers, skipped (3)"),
    ("dog 1 -inf", "1 with values that are not finite numbers, skipped (3)"),
    ("dog 1 1e39", "1 with values that are not finite numbers, skipped (3)"),
    ("d\udce9g 1 2", "1 with a word that is not UTF-8, skipped (3)"),
    ("cat 5 6", "1 with a word that occurred before, skipped (3)"),
    (
        "\n".join(["cat 5 6"] * 1234),
        "1,234 with a word that occurred before, skipped (3, 4, 5, 6, 7, ...)",
    ),
    ("New York 5 6", "1 with a space inside the word, read (3)"),
    ("d\rog 5 6\ndog 5\r6", "2 with a carriage return inside, skipped (3, 4)"),
    (
        "dog 1\ncat 1 2\ndog nan 1",
        "1 of another width, skipped (3); 1 with a word that occurred before, skipped (4); "
        "1 with values that are not finite numbers, skipped (5)",
    ),
]


@pytest.mark.parametrize("lines, message", SKIPPED)
def test_invalid_lines_are_counted_and_those_around_them_are_read(file, caplog, lines, message):
    text = f"the 1 2\ncat 3 4\n{lines}\nemu 7 8\n"
    file.write_bytes(text.encode("utf8", "surrogateescape"))
    table = read_vectors(file, {"the", "cat", "dog", "emu"}, 0)
    assert table.keys == ["the", "cat", "emu"]
    assert table.vectors.tolist() == [[1, 2], [3, 4], [7, 8]]
    assert [record.getMessage() for record in caplog.records] == [
        f"Invalid lines in {file}: {message}."
    ]


def test_invalid_entries_of_a_binary_file(file, caplog):
    rows = [[1.0, 2.0], [np.nan, 1.0], [3.0, 4.0], [5.0, 6.0]]
    write_binary(file, ["cat", "dog", "cat", "d~g"], rows)
    file.write_bytes(file.read_bytes().replace(b"~", b"\xe9"))
    table = read_vectors(file, (), None)
    assert table.keys == ["cat"] and table.vectors.tolist() == [[1, 2]]
    assert caplog.messages == [
        f"Invalid entries in {file}: 1 with values that are not finite numbers, skipped (2); 1 "
        f"with a word that occurred before, skipped (3); 1 with a word that is not UTF-8, skipped "
        f"(4)."
    ]


def test_a_good_line_after_a_bad_one_of_the_same_word_counts(file):
    file.write_text("the 0 0\ncat 1 x\ncat 1 2\n")
    assert read_vectors(file, {"cat"}, 0).vectors.tolist() == [[1, 2]]


def test_numbers_that_are_not_needed_are_not_parsed(file, caplog):
    file.write_text("cat 1 2\ndog x y\n")
    assert read_vectors(file, {"cat"}, 1).keys == ["cat"]
    assert not caplog.messages


@pytest.mark.parametrize("n", [1, 3])
def test_a_header_that_says_another_number_of_words_is_a_warning(file, caplog, n):
    file.write_text(f"{n} 2\ncat 1 2\ndog 3 4\n")
    assert read_vectors(file, (), None).keys == ["cat", "dog"]
    assert caplog.messages == [
        f"{file} has 2 lines of word vectors, its header says {n}: it may be incomplete."
    ]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"3 2\n", "it has no line after its header"),
        (b"cat\ndog\n", "line 1 is 'cat'"),
        (b"3 0\ncat\ndog\n", "line 2 is 'cat'"),
        (b"2 5\ncat 1 2\ndog 3 4\n", "line 2 is 'cat 1 2', with 2 .* header says 5. Correct it"),
        (b"2 1\ncat 1 2\ndog 3 4\n", "line 2 is 'cat 1 2', with 2 .* header says 1. Correct it"),
        (b"cat 0,1 -0,2\n", "line 1 is 'cat 0,1 -0,2', with decimal commas. Write.*10,000"),
        (b"cat 0,1 2\ndog 0,5 1\n", "line 1 is 'cat 0,1 2', with decimal commas. Write.*10,000"),
        (b"2 2\ncat 0,1 2\ndog 0,5 1\n", "line 2 is 'cat 0,1 2', with decimal commas.*10,000"),
        (b"( 0,1 0,2\n10,000 0,1 0,2\n", "with decimal commas. Write.*10,000"),
        (b"1 2\ncat 0,1 0,2\n", "line 2 is 'cat 0,1 0,2', with decimal commas.*10,000"),
        (b"cat\t0,1 0,2\ndog\t0,1 1\nemu\t1,2 3,1\n", "line 1 .*, with decimal commas.*000"),
        (b"cat [1 2 3]\n", r"line 1 is 'cat \[1 2 3\]', with brackets. Remove.* words"),
        (b'{"cat": [0.1, 0.2]}\n', "with brackets, as JSON has them. Write each word .* instead"),
        (b'{\n"cat": [0.1,\n0.2]}\n', "with brackets, as JSON has them. Write each .* instead"),
        (b"1 3\ncat [1 2 3]\n", r"line 2 is 'cat \[1 2 3\]', with brackets. Remove.* words"),
        (b" cat 0.1 0.2\n dog 1 2\n", "line 1 is ' cat 0.1 0.2', with a space at its start.*"),
        (b"\t0\t1\ncat\tx\ty\n", r"line 1 is '\\t0\\t1', with a space at its start.*"),
        (b"0\tcat\t0.1\t0.2\n1\tdog\t1\t2\n", "with a number before the word. .*index=False.*"),
        (b"0 cat 0.1 0.2\n1 dog 1 2\n", "with a number before the word. Remove that column.*"),
        (b"New York 1 2\nOld York 1 2\nYork 1 2\n", "with a space inside the word. Write a TAB.*"),
        (b"cat 1 2\rdog 3 4\r", r"with a carriage return inside. If .* '\\r' '\\n'"),
        (b"2 2\rcat 1 2\rdog 3 4\r", r"with a carriage return inside. If .* '\\r' '\\n'"),
        (b"cat,0.1,0.2\n", "line 1 is 'cat,0.1,0.2', with other separators. Write.*them"),
        (b"cat  0.1  0.2\n", "line 1 is 'cat  0.1  0.2', with more than one space.*' '"),
        ("cat 1 2\n".encode("utf-16"), "it is UTF-16. Convert it, as by iconv -f UTF-16 -t UTF-8"),
        ("cat 1 2\n".encode("utf-16-le"), "with zero bytes. Convert it if .*-8"),
        (b"\xe9 1 2\n\xe8 3 4\n", "its words are not UTF-8. Convert it, as by iconv -f .*-8"),
        (b"PK\x03\x04" + bytes(range(256)) * 9, "with zero bytes.*"),
        (b"3 2\n" + bytes(range(128, 256)) * 9, "ends in entry 1 of 3"),
    ],
)
def test_files_without_vectors(file, data, message):
    file.write_bytes(data)
    with pytest.raises(ValueError, match=f"{file}.* {message}. Files are text .*copy or download"):
        read_vectors(file, {"cat"}, 10)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_truncated_binary_file(file, end):
    write_binary(file, ["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]], end)
    data = file.read_bytes()
    for size in range(9, len(data) - len(end)):
        file.write_bytes(data[:size])
        with pytest.raises(ValueError, match="ends in entry [12] of 2. .*cut short"):
            read_vectors(file, (), None)


@pytest.mark.parametrize("suffix, pack", PACKED)
def test_a_truncated_or_damaged_compressed_file(tmp_path, suffix, pack):
    data = pack(b"".join(b"word%d 1 2 %d\n" % (i, i * i) for i in range(999)))
    path = tmp_path / f"vectors{suffix}"
    for damaged in (data[:-200], data[:200] + b"?" * 50 + data[250:], b"cat 1 2\n", b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"(?s){path}.* copy or download"):
            read_vectors(path, {"word1"}, 0)


@pytest.mark.parametrize("path", ["none.txt", "."])
def test_there_must_be_a_file(tmp_path, path):
    with pytest.raises(FileNotFoundError, match="no file of word vectors .*Correct the path"):
        read_vectors(tmp_path / path, (), 0)


# Memory


def test_memory_is_that_of_the_vectors_that_are_read(file):
    values = np.random.default_rng(0).normal(size=300)
    tail = " ".join(f"{value:.6f}" for value in values)
    with file.open("w") as lines:
        lines.writelines(f"word{i} {tail}\n" for i in range(20_000))
    needed = {f"word{i}" for i in range(0, 20_000, 100)}
    tracemalloc.start()
    try:
        table = read_vectors(file, needed, 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table.keys) == 1190 and file.stat().st_size > 50_000_000
    assert peak < 8_000_000
