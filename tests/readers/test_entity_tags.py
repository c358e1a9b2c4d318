"""Tags of entities in each scheme."""

import pytest

from spacy_rnn.readers.entity_tags import EntityTags, are_entity_tags


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-A I-A O B-A", "B-A I-A O B-A"),
        ("I-A I-A O I-A I-B", "B-A I-A O B-A B-B"),
        ("B-A B-A I-A", "B-A B-A I-A"),
        ("B-A I-B-C", "B-A B-B-C"),
        ("B-A I-A L-A U-A O", "B-A I-A I-A B-A O"),
        ("B-A I-A E-A S-A S-A", "B-A I-A I-A B-A B-A"),
        ("B-A M-A E-A M-A", "B-A I-A I-A B-A"),
        # An end tag always ends the entity, whatever follows.
        ("B-A E-A I-A I-A", "B-A I-A B-A I-A"),
        ("B-A L-A L-A", "B-A I-A B-A"),
        ("S-A I-A E-A", "B-A B-A I-A"),
        ("U-A I-A", "B-A B-A"),
        ("b-per i-per o u-LOC", "B-per I-per O B-LOC"),
        ("B-A - I-A", "B-A  B-A"),
        ("PERSON PERSON ORG O WORK-OF-ART", "B-PERSON I-PERSON B-ORG O B-WORK-OF-ART"),
    ],
)
def test_each_scheme_becomes_bio(tags, expected):
    assert EntityTags("a.json").to_bio(tags.split()) == expected.split(" ")


@pytest.mark.parametrize(
    "tag",
    ["B", "i", "B-", "B_LOC", "I:LOC", "B–LOC", "b/LOC", "LOC-B", "LOC_i", "LOC–B", "_", "--"],
)
def test_tags_with_a_misplaced_prefix_are_an_error(tag):
    with pytest.raises(ValueError, match=f"'{tag}' is not an entity tag. Write a prefix"):
        EntityTags("a.json").to_bio(["O", tag])


def test_labels_that_contain_a_prefix_are_valid_after_a_prefix():
    assert EntityTags("a.json").to_bio(["I-VITAMIN-B", "I-B_CELL"]) == ["B-VITAMIN-B", "B-B_CELL"]


@pytest.mark.parametrize("texts", [["B-PER O None"], ["B-PER O", "None"], ["None", "O B-PER"]])
def test_tags_with_and_without_a_prefix_are_an_error(texts):
    tags = EntityTags("a.json")
    with pytest.raises(ValueError, match="such as 'B-PER', and others have none, such as 'None'"):
        for text in texts:
            tags.to_bio(text.split())


@pytest.mark.parametrize("tag", ["0", "12", "-1", "1.0"])
def test_numbers_are_an_error_that_says_how_to_name_them(tag):
    with pytest.raises(ValueError, match=f"'{tag}' is a number, not an entity tag.*cast_column"):
        EntityTags("a.json").to_bio([tag, "O"])


@pytest.mark.parametrize("tag", ["B-A|B-B", "A|B", "B-A,I-B", "B-A I-B", "O|B-A", "I-A; U-B"])
def test_several_tags_of_one_token_are_an_error(tag):
    with pytest.raises(ValueError, match="looks like several tags of one token"):
        EntityTags("a.json").to_bio([tag])


def test_blanks_around_a_tag_are_not_part_of_it():
    assert EntityTags("a.json").to_bio(["B-A ", " I-A", " O", " "]) == ["B-A", "I-A", "O", ""]


def reported(caplog, *texts):
    caplog.clear()
    tags = EntityTags("a.json")
    for text in texts:
        tags.to_bio(text.split())
    tags.report()
    tags.report()
    return caplog.messages


def test_tags_without_any_token_outside_are_a_warning(caplog):
    (message,) = reported(caplog, "PER OTHER", "OTHER")
    assert (
        message.startswith("a.json: no token has the entity tag O") and "such as 'PER'" in message
    )
    assert not reported(caplog, "PER OTHER", "O")
    # An address may have no tokens outside of entities.
    assert not reported(caplog, "B-STREET I-STREET B-TOWN")


def test_entities_that_continue_without_a_first_token_are_a_warning(caplog):
    (message,) = reported(caplog, "E-MAIL E-MAIL O", "O E-MAIL")
    assert "3 entity tags, such as 'E-MAIL', continue or end an entity that" in message
    assert "such as 'I-E-MAIL'" in message
    assert not reported(caplog, "I-A I-A E-A O S-A B-A M-A L-A")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("O B-A I-A", True),
        ("o b-a m-a e-a s-a", True),
        ("O A", False),
        ("B-A I-A", False),
        ("DT NN", False),
        ("", False),
    ],
)
def test_names_that_are_certainly_entity_tags(names, expected):
    assert are_entity_tags(names.split()) is expected
