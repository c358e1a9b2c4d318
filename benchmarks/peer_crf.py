"""The conditional random field of spacy_rnn against pytorch-crf, for benchmarks/crf_speed.py, which
runs it with a Python that can import torchcrf (`pip install pytorch-crf`). It only needs
spacy_rnn.nn of this package, and therefore neither spaCy nor thinc.

    python benchmarks/peer_crf.py ROUNDS

A batch has 32 sentences of 30 tokens with 20 tags. All sentences have the same length, which suits
pytorch-crf, because it pads. Scores and transitions are random and the same on both sides; the
script first checks that loss, gradients and best tags are the same, too. The last line has the
words/s of each side and round for "loss" (forward and backward pass) and "decode" (from scores to
lists of tags).
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch  # noqa: E402
import torchcrf  # noqa: E402
from torch import Tensor  # noqa: E402

from spacy_rnn.nn.crf import CRF, crf_loss  # noqa: E402
from spacy_rnn.nn.linear_chain import viterbi  # noqa: E402
from spacy_rnn.nn.tag_scores import TagScores  # noqa: E402

BATCH, LENGTH, TAGS = 32, 30, 20
REPEATS = 10


class Ours:
    """The side of spacy_rnn: the sentences are concatenated, with scores (N, C)."""

    def __init__(self, crf: CRF, scores: Tensor, tags: Tensor):
        self.crf = crf
        self.scores = scores.flatten(0, 1).requires_grad_()
        self.tags = tags.flatten()
        self.lengths = torch.full((BATCH,), LENGTH)
        self.weights = [self.scores, crf.start, crf.transitions, crf.end]

    def loss(self) -> list[Tensor]:
        """The loss and its gradients."""
        loss = crf_loss(TagScores(self.scores, self.lengths, self.crf), self.tags)
        return [loss, *torch.autograd.grad(loss, self.weights)]

    @torch.inference_mode()
    def decode(self) -> list[list[int]]:
        potentials = TagScores(self.scores, self.lengths, self.crf).potentials()
        tags = viterbi(potentials, self.scores, self.lengths)
        return [row.tolist() for row in tags.split(self.lengths.tolist())]


class Theirs:
    """The side of pytorch-crf: a grid of scores (T, B, C), the layout that it also uses inside."""

    def __init__(self, crf: CRF, scores: Tensor, tags: Tensor):
        self.crf = torchcrf.CRF(TAGS)
        self.scores = scores.transpose(0, 1).contiguous().requires_grad_()
        self.tags = tags.T.contiguous()
        own = self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions
        for weight, value in zip(own, (crf.start, crf.transitions, crf.end), strict=True):
            weight.data.copy_(value.data)
        self.weights = [self.scores, *own]

    def loss(self) -> list[Tensor]:
        """The loss and its gradients."""
        loss = -self.crf(self.scores, self.tags, reduction="sum")
        return [loss, *torch.autograd.grad(loss, self.weights)]

    @torch.inference_mode()
    def decode(self) -> list[list[int]]:
        return self.crf.decode(self.scores)


def check(ours: Ours, theirs: Theirs) -> None:
    """RAISES (AssertionError): If the sides do not compute the same."""
    loss, d_scores, *gradients = theirs.loss()
    expected = [loss, d_scores.transpose(0, 1).flatten(0, 1), *gradients]
    for found, value in zip(ours.loss(), expected, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-4, atol=1e-4)
    assert ours.decode() == theirs.decode(), "The best tags are not the same."
    print(f"CRF: loss ({loss.item():.3f}), gradients and best tags are the same on both sides.")


def speed(run: Callable[[], Any]) -> float:
    start = time.process_time()
    for _ in range(REPEATS):
        run()
    return REPEATS * BATCH * LENGTH / (time.process_time() - start)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    crf = CRF(TAGS)
    for weight in crf.parameters():
        torch.nn.init.normal_(weight)
    scores, tags = torch.randn(BATCH, LENGTH, TAGS), torch.randint(TAGS, (BATCH, LENGTH))
    ours, theirs = Ours(crf, scores, tags), Theirs(crf, scores, tags)
    check(ours, theirs)
    result: dict[str, Any] = {}
    for name in ("loss", "decode"):
        sides = {"spacy_rnn": getattr(ours, name), "pytorch-crf": getattr(theirs, name)}
        for run in sides.values():
            speed(run)
        rounds = [[speed(run) for run in sides.values()] for _ in range(int(sys.argv[1]))]
        result[name] = dict(zip(sides, zip(*rounds, strict=True), strict=True))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
