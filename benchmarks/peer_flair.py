"""Flair's side of benchmarks/tagger_speed.py, which starts it with a Python that can import flair.

Reads JSON lines and answers each with a JSON line. The first line is the data: {"train": batches of
sentences, "test": sentences}, where a sentence is [words, tags]. After that, each "predict" or
"train" asks for one round, and the answer is its words/s.

The tagger has the shapes of `rnn_tagger` with its default config: trained word embeddings of 100, a
bidirectional LSTM of 2 x 25 over character embeddings of 50, two bidirectional LSTM layers of 200,
a linear layer, no CRF.
"""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

# Flair logs to stdout, which is needed for the answers.
answers, sys.stdout = sys.stdout, sys.stderr

import flair  # noqa: E402
import torch  # noqa: E402
from flair.data import Dictionary, Sentence  # noqa: E402
from flair.embeddings import (  # noqa: E402
    CharacterEmbeddings,
    OneHotEmbeddings,
    StackedEmbeddings,
)
from flair.models import SequenceTagger  # noqa: E402
from flair.training_utils import store_embeddings  # noqa: E402

LABEL = "xpos"
PREDICTION_BATCH = 64

Tagged = tuple[list[str], list[str]]


def dictionary(items: Sequence[str]) -> Dictionary:
    made = Dictionary(add_unk=True)
    for item in dict.fromkeys(items):
        made.add_item(item)
    return made


def make_tagger(sentences: Sequence[Tagged]) -> SequenceTagger:
    words = [word for sentence, _ in sentences for word in sentence]
    embedding = StackedEmbeddings(
        [
            OneHotEmbeddings(dictionary(words), embedding_length=100),
            CharacterEmbeddings(
                dictionary("".join(words)), char_embedding_dim=50, hidden_size_char=25
            ),
        ]
    )
    return SequenceTagger(
        embedding,
        dictionary([tag for _, tags in sentences for tag in tags]),
        LABEL,
        hidden_size=200,
        rnn_layers=2,
        use_crf=False,
        reproject_embeddings=False,
    )


def sentence(tagged: Tagged, labeled: bool) -> Sentence:
    words, tags = tagged
    made = Sentence(words)
    if labeled:
        for token, tag in zip(made, tags, strict=True):
            token.add_label(LABEL, tag)
    return made


def predict(tagger: SequenceTagger, test: Sequence[Tagged]) -> float:
    sentences = [sentence(tagged, labeled=False) for tagged in test]
    tagger.eval()
    start = time.process_time()
    tagger.predict(sentences, mini_batch_size=PREDICTION_BATCH)
    return sum(map(len, sentences)) / (time.process_time() - start)


def train(
    tagger: SequenceTagger, optimizer: torch.optim.Optimizer, batches: Sequence[Sequence[Tagged]]
) -> float:
    """The training loop of flair.trainers.ModelTrainer."""
    prepared = [[sentence(tagged, labeled=True) for tagged in batch] for batch in batches]
    tagger.train()
    start = time.process_time()
    for batch in prepared:
        optimizer.zero_grad()
        loss, _ = tagger.forward_loss(batch)
        loss.backward()
        store_embeddings(batch, "none")
        torch.nn.utils.clip_grad_norm_(tagger.parameters(), 5.0)
        optimizer.step()
    return sum(len(s) for batch in prepared for s in batch) / (time.process_time() - start)


def answer(value: Any) -> None:
    print(json.dumps(value), file=answers, flush=True)


def main() -> None:
    torch.set_num_threads(1)
    flair.device = torch.device("cpu")
    data = json.loads(sys.stdin.readline())
    tagger = make_tagger([tagged for batch in data["train"] for tagged in batch])
    optimizer = torch.optim.AdamW(tagger.parameters(), fused=True)
    answer({"flair": flair.__version__, "torch": torch.__version__})
    for line in sys.stdin:
        if json.loads(line) == "predict":
            answer(predict(tagger, data["test"]))
        else:
            answer(train(tagger, optimizer, data["train"]))


if __name__ == "__main__":
    main()
