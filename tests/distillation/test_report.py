"""The scores of a student and of its teachers."""

import pytest
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.distillation.report import score_teachers
from spacy_rnn.distillation.teachers import Teacher, Teachers

from ..helpers.pipelines import make_trained


@pytest.mark.parametrize(
    "words, spaces",
    [
        (["They", "like", "eggs", "."], [True, True, False, False]),
        # The tokenizer does not make these tokens of their text.
        (["They", "like", "eggs", "."], [False, False, False, False]),
    ],
)
def test_teachers_predict_the_tags_of_gold_tokens(words, spaces):
    nlp = make_trained("rnn_tagger")
    pipe = nlp.get_pipe("rnn_tagger")
    doc = Doc(nlp.vocab, words=words, spaces=spaces)
    pipe.set_annotations([doc], pipe.predict([doc]))
    blank = Doc(nlp.vocab, words=words, spaces=spaces)
    scores = score_teachers(Teachers([Teacher(nlp, "soft_labels")]), nlp, [Example(blank, doc)], {})
    assert scores["tag_acc"] == 1.0
