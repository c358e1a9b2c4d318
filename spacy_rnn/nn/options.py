"""The options of networks that settings name, which are known without torch."""

from typing import Literal

Direction = Literal["forward", "backward", "both"]
#: the directions of a layer, True for one from right to left
REVERSED: dict[Direction, list[bool]] = {
    "forward": [False],
    "backward": [True],
    "both": [False, True],
}
#: see `spacy_rnn.nn.tagger.Tagger`
Decoder = Literal["softmax", "crf"]
#: see `spacy_rnn.nn.pooling.Pooling`
Way = Literal["last", "mean", "max", "attention"]
#: cells of `spacy_rnn.nn.cells.CELLS`, with recurrence and without; other packages add more
RECURRENT_CELLS = ("rnn_tanh", "rnn_relu", "gru", "lstm")
FEED_FORWARD_CELLS = ("none",)
#: name of the vectors of a tok2vec layer, as a part of an embedding and as an array
TOK2VEC = "tok2vec"
