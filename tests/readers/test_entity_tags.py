"""Tags of entities in each scheme."""

import pytest

from spacy_rnn.readers.entity_tags import are_entity_tags, to_bio


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
        # The end of an entity is one, whatever follows.
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
    assert to_bio(tags.split()) == expected.split(" ")


@pytest.mark.parametrize("tag", ["B", "i", "B-", "B_LOC", "I:LOC", "LOC-B", "LOC_i", "_", "--"])
def test_what_may_have_its_prefix_in_another_place_is_an_error(tag):
    with pytest.raises(ValueError, match=f"'{tag}' is not a tag of an entity. Write a prefix"):
        to_bio(["O", tag])


def test_such_a_label_can_have_a_prefix():
    assert to_bio(["I-VITAMIN-B", "I-B_CELL"]) == ["B-VITAMIN-B", "B-B_CELL"]


def test_tags_with_and_without_a_prefix_are_an_error():
    with pytest.raises(ValueError, match="others have none: B-PER, O, LOC"):
        to_bio(["B-PER", "O", "LOC"])


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
def test_names_that_are_tags_of_entities_beyond_doubt(names, expected):
    assert are_entity_tags(names.split()) is expected
