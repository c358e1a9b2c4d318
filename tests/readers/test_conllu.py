"""Treebanks in CoNLL-U: tokens, annotation and errors."""

import lzma
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_rnn.readers.data_file import detect

from ..helpers.cli import run

# A multi-word token that is the concatenation of its words ("can't"), one that is not ("da"), an
# empty node, missing values.
TREEBANK = """\
# sent_id = 1
# text = I can't.
1 I I PRON PRP Case=Nom|Number=Sing 2 nsubj _ _
2-3 can't _ _ _ _ _ _ _ SpaceAfter=No
2 ca can AUX MD VerbForm=Fin 0 root _ _
3 n't not PART RB _ 2 advmod _ _
3.1 go go VERB VB _ _ _ 0:root _
4 . . PUNCT . _ 2 punct _ SpaceAfter=No

# sent_id = 2
1 Vou _ VERB _ PronType=Rel,Int|Number=Sing 0 root _ A=b|SpaceAfter=No
2-3 da _ _ _ _ _ _ _ _
2 de de _ _ _ 4 case _ _
3 a o DET _ _ 4 det _ SpaceAfter=No
4 _ _ NOUN _ _ 1 obl _ _
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        """Write CoNLL-U, with tabs for the blanks outside of comments."""
        lines = text.split("\n")
        lines = [line if line.startswith("#") else line.replace(" ", "\t") for line in lines]
        path = tmp_path / "treebank.conllu"
        path.write_bytes("\n".join(lines).encode("utf-8"))
        return path

    return write


def to_docs(path, **settings):
    return list(detect(path, **settings).read(spacy.blank("en")))


def read_words(path):
    """The columns of the words of each sentence."""
    sentences = [[]]
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                sentences.append([])
            elif line[0] != "#" and line.split("\t")[0].isdecimal():
                sentences[-1].append(line.rstrip("\n").split("\t"))
    return [words for words in sentences if words]


def test_tokens_and_annotation(write):
    first, second = to_docs(write(TREEBANK))
    assert first.text == "I can't."
    assert second.text == "Voude a _ "  # "da" is not "de" + "a"; blanks separate them
    assert [token.text for token in first] == ["I", "ca", "n't", "."]
    assert [token.tag_ for token in first] == ["PRP", "MD", "RB", "."]
    assert [token.pos_ for token in first] == ["PRON", "AUX", "PART", "PUNCT"]
    assert [token.lemma_ for token in first] == ["I", "can", "not", "."]
    assert [str(token.morph) for token in first] == ["Case=Nom|Number=Sing", "VerbForm=Fin", "", ""]
    assert [token.head.i for token in first] == [1, 1, 1, 1]
    assert [token.dep_ for token in first] == ["nsubj", "ROOT", "advmod", "punct"]
    assert [token.tag_ for token in second] == [""] * 4
    assert [token.pos_ for token in second] == ["VERB", "", "DET", "NOUN"]
    assert [token.lemma_ for token in second] == ["", "de", "o", "_"]
    assert str(second[0].morph) == "Number=Sing|PronType=Int,Rel"
    assert second[1].has_morph() and str(second[1].morph) == ""
    assert not second.has_annotation("TAG")


def test_the_space_after_a_multi_word_token_is_that_of_its_line(write):
    words = "1 do do AUX x _ _ _ _ SpaceAfter=No\n2 n't not PART x _ _ _ _ SpaceAfter=No\n"
    rest = "3 go go VERB x _ _ _ _ _\n"
    (doc,) = to_docs(write(f"1-2 don't _ _ _ _ _ _ _ _\n{words}{rest}"))
    assert doc.text == "don't go "
    (doc,) = to_docs(write(f"1-2 dont _ _ _ _ _ _ _ SpaceAfter=No\n{words}{rest}"))
    assert doc.text == "do n'tgo "


def test_multi_word_tokens_that_differ_from_their_words_are_counted(write):
    file = detect(write(TREEBANK))
    list(file.read(spacy.blank("en")))
    assert file.counts.lines()[-1] == (
        "multi-word tokens read as words that the text lacks; merge_subtokens keeps the text: 1 "
        "('da')"
    )


def test_sentences_are_grouped(write):
    (doc,) = to_docs(write(TREEBANK), n_sents=2)
    assert [sentence.text for sentence in doc.sents] == ["I can't.", "Voude a _"]
    assert [token.head.i for token in doc] == [1, 1, 1, 1, 4, 7, 7, 4]
    third = "\n" + TREEBANK.split("\n\n")[0].replace("sent_id = 1", "sent_id = 3") + "\n"
    docs = list(to_docs(write(TREEBANK + third), n_sents=2))
    assert [len(list(doc.sents)) for doc in docs] == [2, 1]


@pytest.mark.parametrize("cells", ["_ _", "0 _", "_ root"])
def test_documents_with_incomplete_trees_have_only_sentence_boundaries(write, cells):
    incomplete = f"1 w w X x _ {cells} _ _\n2 w w X x _ 1 dep _ _\n"
    complete = "1 w w X x _ 2 dep _ _\n2 w w X x _ 0 root _ _\n"
    (doc,) = to_docs(write(f"{incomplete}\n{complete}"), n_sents=2)
    assert [token.is_sent_start for token in doc] == [True, False, True, False]
    assert not doc.has_annotation("DEP")


def test_treebank_without_features_has_no_morph(write):
    (doc,) = to_docs(write("1 a a X x _ _ _ _ _\n2 b b X x _ _ _ _ _\n"))
    assert not doc.has_annotation("MORPH")
    (doc,) = to_docs(write("1 a a X x _ _ _ _ _\n2 b b X x A=b _ _ _ _\n"))
    assert doc[0].has_morph() and str(doc[0].morph) == ""


def test_last_sentence_needs_no_empty_line_and_blank_lines_may_repeat(write):
    text = "\n\n1 a a X x _ _ _ _ _\n\n# end\n\n \n1 b b X x _ _ _ _ _"
    path = write(text)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert [[token.text for token in doc] for doc in to_docs(path)] == [["a"], ["b"]]


WORD = "1 a a X x _ _ _ _ _"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " is empty"),
        ("# text = a\n", " has no sentence"),
        (f"{WORD}\n2 b b X x _ _ _ _\n", "Line 2: 9 columns"),
        (f"{WORD} _\n", "Line 1: 11 columns"),
        (f"# a\n{WORD.replace('1', 'one')}\n", "Line 2: ID 'one'"),
        (f"{WORD}\n\n{WORD.replace('1', '2')}\n", "Line 3: ID 2; the next word is 1"),
        (WORD.replace("X", "ADJEKTIV"), "Line 1: UPOS 'ADJEKTIV'"),
        (WORD.replace("x _", "x Sing"), "Line 1: FEATS 'Sing'"),
        (WORD.replace("_ _ _ _ _", "_ up dep _ _"), "Line 1: HEAD 'up'"),
        (WORD.replace("_ _ _ _ _", "_ 7 dep _ _"), "Line 2: HEAD"),
        ("1 a a X x _ 0 root _ _\n2 b b X x _ 0 root _ _\n", "Line 3: HEAD"),
        (
            "1 a a X x _ 2 dep _ _\n2 b b X x _ 1 dep _ _\n3 c c X x _ 0 root _ _\n",
            "Line 4: HEADs that form no tree",
        ),
        (WORD.replace("X x", "X "), "Line 1: an empty column"),
        (f"1-2 ab _ _ _ _ _ _ _ _\n{WORD}\n", "Line 3: ID 1-2; the sentence has 1 words"),
    ],
)
def test_malformed_file_is_an_error_with_its_line(write, text, message):
    path = write(text)
    with pytest.raises(ValueError) as error:
        to_docs(path)
    assert message in str(error.value).replace(f" of {path}", "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("comment", ["", "# sent_id = 1\n"])
def test_a_byte_order_mark_is_ignored(write, tmp_path, encoding, merge, comment):
    plain = write(comment + "1 New new ADJ JJ _ 0 root _ _\n\n")
    marked = tmp_path / "marked.conllu"
    marked.write_bytes(plain.read_text("utf-8").encode(encoding))
    for path in (plain, marked):
        docs = to_docs(path, merge_subtokens=merge)
        assert [[(token.text, token.tag_) for token in doc] for doc in docs] == [[("New", "JJ")]]


def test_unreadable_bytes_are_an_error(tmp_path, write):
    line = write(WORD + "\n").read_bytes()
    latin = tmp_path / "latin.conllu"
    latin.write_bytes(line + line.replace(b"a", b"\xe9"))
    with pytest.raises(ValueError, match="Line 2 of .*latin.conllu is not UTF-8"):
        to_docs(latin)
    damaged = tmp_path / "damaged.conllu.xz"
    damaged.write_bytes(lzma.compress(line)[:-10])
    with pytest.raises(ValueError, match="damaged.conllu.xz is damaged"):
        to_docs(damaged)


def test_command_line_writes_docs_that_spacy_reads(write, tmp_path):
    output = tmp_path / "new" / "out.spacy"
    packed = tmp_path / "treebank.conllu.xz"
    packed.write_bytes(lzma.compress(write(TREEBANK).read_bytes()))
    printed = run("rnn", "convert", packed, output, "--lang", "pt", "--n-sents", 2)
    assert "Read 1 documents, 8 tokens" in printed
    (doc,) = DocBin().from_disk(output).get_docs(spacy.blank("pt").vocab)
    assert [token.tag_ for token in doc] == ["PRP", "MD", "RB", ".", "", "", "", ""]
    assert [token.lemma_ for token in doc] == ["I", "can", "not", ".", "", "de", "o", "_"]
    assert [sentence.start for sentence in doc.sents] == [0, 4]
    assert doc[3].has_morph() and str(doc[3].morph) == ""


def test_merged_subtokens(write, tmp_path):
    output = tmp_path / "out.spacy"
    text = TREEBANK.replace("\n\n", "\n\n\n# note\n\n")
    run("rnn", "convert", write(text), output, "--merge-subtokens")
    first, second = DocBin().from_disk(output).get_docs(spacy.blank("en").vocab)
    assert [token.text for token in first] == ["I", "can't", "."]
    assert first[1].tag_ == "MD_RB" and first[1].lemma_ == "can not"
    assert second.text == "Vouda _ "
    assert [token.head.i for token in second] == [0, 2, 0]


def test_merged_subtokens_need_trees(write):
    with pytest.raises(ValueError, match="without merge_subtokens"):
        to_docs(write(WORD), merge_subtokens=True)


def test_number_of_sentences_must_be_positive(write):
    with pytest.raises(ValueError, match="'n_sents' must be"):
        detect(write(TREEBANK), n_sents=0)


def test_documents_begin_with_newdoc(write):
    text = f"# newdoc id = a\n{WORD}\n\n{WORD}\n\n# newdoc\n{WORD}\n"
    assert [len(doc) for doc in to_docs(write(text), n_sents=10)] == [2, 1]


@pytest.mark.parametrize(
    ("name", "n_sentences", "n_words", "types_and_longest"),
    [
        # The last column: the numbers of values of UPOS, XPOS and FEATS, and the number of words of
        # the longest sentence.
        ("ud-en-ewt/en_ewt-ud-train", 12544, 204577, (17, 49, 230, 159)),
        ("ud-en-ewt/en_ewt-ud-dev", 2001, 25147, None),
        ("ud-en-ewt/en_ewt-ud-test", 2077, 25094, None),
        ("ud-pt-bosque/pt_bosque-ud-train", 7018, 171776, (17, 1, 334, 201)),
        ("ud-pt-bosque/pt_bosque-ud-dev", 1172, 28447, None),
        ("ud-pt-bosque/pt_bosque-ud-test", 1167, 27604, None),
        ("ud-cs-cltt/cs_cltt-ud-train", 467, 13894, (15, 304, 316, 332)),
        ("ud-cs-cltt/cs_cltt-ud-dev", 316, 10710, None),
        ("ud-cs-cltt/cs_cltt-ud-test", 338, 11409, None),
    ],
)
def test_real_treebanks_are_read_whole(data_dir, name, n_sentences, n_words, types_and_longest):
    docs = to_docs(data_dir / f"{name}.conllu.xz")
    assert (len(docs), sum(map(len, docs))) == (n_sentences, n_words)
    if types_and_longest:
        tokens = [token for doc in docs for token in doc]
        types = [len({read(t) for t in tokens}) for read in (lambda t: t.pos, lambda t: t.tag)]
        types.append(len({str(token.morph) for token in tokens}))
        assert (*types, max(map(len, docs))) == types_and_longest


@pytest.mark.parametrize(
    ("name", "n_multi_word_tokens"),
    [
        ("ud-en-ewt/en_ewt-ud-dev", None),
        ("ud-pt-bosque/pt_bosque-ud-dev", 2063),
        ("ud-cs-cltt/cs_cltt-ud-dev", None),
    ],
)
def test_real_treebanks_survive_conversion(data_dir, name, n_multi_word_tokens):
    path = data_dir / f"{name}.conllu.xz"
    sentences = read_words(path)
    docs = to_docs(path, n_sents=10)
    spans = [span for doc in docs for span in doc.sents]
    assert len(docs) < len(sentences) == len(spans)
    for words, span in zip(sentences, spans, strict=True):
        assert [word[1] for word in words] == [token.text for token in span]
        assert [word[3] for word in words] == [token.pos_ or "_" for token in span]
        assert [word[4] for word in words] == [token.tag_ or "_" for token in span]
        assert [int(word[6]) for word in words] == [
            0 if token.head == token else token.head.i - span.start + 1 for token in span
        ]
        # spaCy orders features by code point, the treebanks do not.
        assert [set(word[5].split("|")) for word in words] == [
            set((str(token.morph) or "_").split("|")) for token in span
        ]
    if n_multi_word_tokens:  # of two words each
        n_merged = sum(map(len, to_docs(path, merge_subtokens=True)))
        assert n_merged == sum(map(len, sentences)) - n_multi_word_tokens


def test_real_text_is_that_of_the_treebank(data_dir):
    """If multi-word tokens are concatenations of their words, as in English, the text is kept."""
    path = data_dir / "ud-en-ewt/en_ewt-ud-test.conllu.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        texts = [line.removeprefix("# text = ") for line in file if line.startswith("# text = ")]
    docs = to_docs(path)
    # Any white space of the treebank becomes one blank.
    assert [doc.text.split() for doc in docs] == [text.split() for text in texts]
