"""Small networks of every component, and their predictions when the vectors of a text change."""

import math

import numpy as np
import torch

from spacy_rnn.nn.translator import SourceBatch

from .pipelines import SENTENCES, make_doc, make_trained

TEXT = SENTENCES[1][0]  # She eats one ham .
#: the prediction of each component that is explained
ASKED = {
    "rnn_tagger": {"token": 1},
    "rnn_ner": {"token": 3},
    "rnn_textcat": {},
    "rnn_textcat_multilabel": {},
    "rnn_regressor": {},
    "rnn_translator": {"token": 2},
    "rnn_lm": {"token": 3},
}


def trained(factory, steps=10):
    """A pipeline that was trained briefly."""
    return make_trained(factory, steps)


def only_pipe(nlp):
    """The last component of a pipeline."""
    return nlp.pipeline[-1][1]


def doc_of(nlp, text=TEXT):
    return make_doc(nlp.vocab, text) if text else nlp.make_doc("")


def randomize(module, std=0.5, seed=0):
    """Give a module weights of which none has a value that hides a mistake."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=std)


def log_odds(p):
    return math.log(p) - math.log1p(-p)


def answer(pipe, doc, asked, label):
    """The component's prediction: the log-odds of a label, a value, or a log-probability."""
    factory = type(pipe).__name__
    if factory == "RNNTagger":
        p = pipe.predict_probabilities([doc])[0]["tag"][asked["token"]]
        return log_odds(float(p[pipe.labels.index(label)]))
    if factory == "RNNEntityRecognizer":
        p = pipe.predict_probabilities([doc])[0][asked["token"]]
        return log_odds(float(p[pipe.tags.index(label)]))
    if factory == "RNNLanguageModel":
        return float(pipe.predict([doc])[0][asked["token"]])
    if factory == "RNNTranslator":
        return _piece_log_probability(pipe, doc, asked["token"], label)
    score = float(pipe.predict([doc]).scores[0, pipe.labels.index(label)])
    return score if factory == "RNNRegressor" else log_odds(score)


def predicted(pipe, doc, asked):
    """The label that the component predicts, or the pieces that a translator predicts."""
    factory = type(pipe).__name__
    if factory == "RNNTagger":
        return pipe.labels[pipe.predict([doc])[0]["tag"][asked["token"]]]
    if factory == "RNNEntityRecognizer":
        return pipe.tags[pipe.predict_probabilities([doc])[0][asked["token"]].argmax()]
    if factory == "RNNTranslator":
        return pipe.translate([doc.text.strip()])[0][0].pieces
    if factory == "RNNLanguageModel":
        return None
    return pipe.labels[pipe.predict([doc]).scores[0].argmax()]


def _piece_log_probability(pipe, doc, place, pieces):
    """The log-probability of one piece, computed by the network as in training: for all pieces at
    once."""
    features = pipe.shim.features
    ids = np.array([features.target.pieces.index(piece) for piece in pieces])
    arrays = features.decoder_arrays([ids])
    decoder_input, valid_positions, _ = map(torch.from_numpy, arrays)
    (source,) = features.source.encode([doc.text.strip()])
    sources = SourceBatch(torch.from_numpy(source), torch.tensor([len(source)]))
    with torch.no_grad():
        logits = pipe.shim.module(sources, decoder_input, valid_positions).logits()
    return float(logits.log_softmax(1)[place, arrays.decoder_target[place]])


def scaled(pipe, doc, asked, label, factors):
    """`answer`, with the vector of each token that the encoder reads multiplied by a factor."""
    module = pipe.shim.module
    encoder = module.tokens.encoder if hasattr(module, "tokens") else module.encoder

    def scale(_, arguments):
        x, lengths, tokens = arguments
        return x[tokens] * torch.tensor(factors, dtype=x.dtype).unsqueeze(1), lengths, None

    handle = encoder.register_forward_pre_hook(scale)
    try:
        return answer(pipe, doc, asked, label)
    finally:
        handle.remove()
