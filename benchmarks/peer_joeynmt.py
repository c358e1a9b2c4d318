"""JoeyNMT's side of benchmarks/translator_speed.py, which runs it with a Python that can import it
(`pip install joeynmt==2.3.0 importlib_metadata sentencepiece==0.2.0`).

    python benchmarks/peer_joeynmt.py train|decode|steps bahdanau|luong FOLDER

The model: piece embeddings of 320, a bidirectional LSTM of 2 x 320 as encoder, and an LSTM of 320
as decoder, with Bahdanau's attention and input feeding, as in JoeyNMT's recurrent configs, or with
Luong's attention and without input feeding.

FOLDER contains `data.json`. Its keys: "vocabularies", the pieces of each side; "train", the batches
of pairs of sentences for "train"; "test", the batches of sentences for "decode" and "steps", and
"found", their translations by spacy_rnn; "beam", "steps" and "dropout". A sentence is a list of
pieces. FOLDER also contains `weights.pt`, the weights of the `rnn_translator` that made the
translations, which "decode" and "steps" use.

The last line is the speed of a round over batches that are prepared beforehand, after a warm-up.
"train": target pieces/s of the steps of JoeyNMT's trainer, without its validation and log.
"decode": sentences/s of JoeyNMT's search. "steps": target pieces/s of the search when it has to
take exactly that many steps.
"""

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from joeynmt.batch import Batch
from joeynmt.config import _check_special_symbols, parse_train_args
from joeynmt.model import Model, build_model
from joeynmt.search import search
from joeynmt.training import TrainManager
from joeynmt.vocabulary import Vocabulary
from torch import Tensor, nn

SIZE = 320
CPU = torch.device("cpu")
#: a sentence
Pieces = list[str]


def make_model(attention: str, vocabularies: Sequence[Vocabulary], dropout: float) -> Model:
    part = {
        "type": "recurrent",
        "rnn_type": "lstm",
        "embeddings": {"embedding_dim": SIZE, "dropout": dropout},
        "hidden_size": SIZE,
        "num_layers": 1,
        "dropout": dropout,
    }
    config = {
        "tied_softmax": True,
        "encoder": {**part, "bidirectional": True},
        "decoder": {
            **part,
            "attention": attention,
            "input_feeding": attention == "bahdanau",
            "hidden_dropout": dropout,
            "init_hidden": "bridge",
        },
    }
    model = build_model(config, *vocabularies)
    model.loss_function = "crossentropy", 0.0
    return model


def make_batch(
    vocabularies: Sequence[Vocabulary], sources: Sequence[Pieces], targets: Sequence[Pieces] | None
) -> Batch:
    """A batch like those of `joeynmt.datasets.BaseDataset.collate_fn`, except that sources to
    translate have no end symbol, because the weights were trained without it."""
    source, target = vocabularies
    ids, lengths, _ = source.sentences_to_ids(sources, bos=False, eos=targets is not None)
    return Batch(
        src=torch.tensor(ids),
        src_length=torch.tensor(lengths),
        src_prompt_mask=None,
        trg=None if targets is None else torch.tensor(target.sentences_to_ids(targets)[0]),
        trg_prompt_mask=None,
        indices=torch.arange(len(ids)),
        device=CPU,
        pad_index=target.pad_index,
        eos_index=target.eos_index,
        is_train=targets is not None,
    )


# Training


def make_trainer(model: Model, folder: str) -> TrainManager:
    settings = {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "clip_grad_norm": 1.0,
        "normalization": "tokens",
        # JoeyNMT needs a schedule, and "plateau" uses an argument that torch no longer has.
        "scheduling": "exponential",
        # The size of the batches that JoeyNMT makes; here, batches are made already.
        "batch_size": 64,
    }
    return TrainManager(
        rank=0,
        model=model,
        model_dir=Path(folder),
        device=CPU,
        autocast={"device_type": "cpu", "enabled": False},
        train_args=parse_train_args(settings),
    )


def update(trainer: TrainManager, batch: Batch) -> None:
    """What `TrainManager.train_and_validate` does for a batch."""
    trainer._train_step(batch)
    trainer.clip_grad_fun(parameters=trainer.model.parameters())
    trainer.optimizer.step()
    trainer.model.zero_grad()


# Decoding


@torch.no_grad()
def set_weights(
    model: Model,
    weights: Mapping[str, Tensor],
    pieces: Sequence[Pieces],
    vocabularies: Sequence[Vocabulary],
) -> None:
    """Set the weights to those of an `rnn_translator` with the same pieces in another order."""
    source, target = (
        torch.tensor([vocabulary.lookup(piece) for piece in side])
        for side, vocabulary in zip(pieces, vocabularies, strict=True)
    )
    encoder, decoder = model.encoder.rnn, model.decoder
    model.src_embed.lut.weight[source] = weights["source_embedding.weight"]
    # This is also the weight of the output layer.
    model.trg_embed.lut.weight[target] = weights["target_embedding.weight"]
    for name, weight in encoder.named_parameters():
        weight.copy_(weights[f"encoder.layers.0.{name}"])
    for name, weight in decoder.rnn.named_parameters():
        weight.copy_(weights[f"decoder.layers.layers.0.{name}"])
    decoder.attention.key_layer.weight.copy_(weights["decoder.attention.memory.weight"])
    context, query = weights["decoder.combine.weight"].split([2 * SIZE, SIZE], dim=1)
    decoder.att_vector_layer.weight.copy_(torch.cat([query, context], dim=1))
    decoder.att_vector_layer.bias.zero_()
    # JoeyNMT has no bias there, and the same initial vector for hidden and cell state.
    decoder.output_layer.bias = nn.Parameter(torch.empty(len(target)))
    decoder.output_layer.bias[target] = weights["output.bias"]
    bridge, bias = weights["decoder.bridge.weight"], weights["decoder.bridge.bias"]

    def init_hidden(summary: Tensor) -> tuple[Tensor, Tensor]:
        start = torch.tanh(nn.functional.linear(summary, bridge, bias)).unsqueeze(0)
        hidden, cell = start.chunk(2, dim=2)
        return hidden, cell

    decoder._init_hidden = init_hidden


def decode(model: Model, batch: Batch, beam: int, steps: int | None) -> list[Pieces]:
    """What `joeynmt.prediction.predict` does for a batch, up to the pieces with the end symbol.
    Without `steps`, translations have at most 1.5 times the pieces of the longest source, which is
    JoeyNMT's default."""
    batch.sort_by_src_length()
    exact = {} if steps is None else {"min_output_length": steps}
    found, _, _ = search(model, batch, steps or -1, beam, beam_alpha=0.6, **exact)
    sentences = model.trg_vocab.arrays_to_sentences(found)
    return [sentences[i] for i in batch.indices.argsort().tolist()]


def share_of_same(found: Sequence[list[Pieces]], expected: Sequence[list[Pieces]]) -> float:
    """The share of the translations in batches that are the same, without end symbols."""
    pairs = list(zip(chain(*found), chain(*expected), strict=True))
    return sum(" ".join(one).removesuffix(" </s>") == " ".join(two) for one, two in pairs) / len(
        pairs
    )


# Rounds


def timed(run: Callable[[Batch], Any], batches: Sequence[Batch]) -> tuple[list[Any], float]:
    """The results of `run` for each batch, and the seconds, after a warm-up."""
    run(batches[0])
    start = time.process_time()
    results = [run(batch) for batch in batches]
    return results, time.process_time() - start


def train_round(model: Model, vocabularies: Sequence[Vocabulary], data: Mapping[str, Any]) -> float:
    batches = [make_batch(vocabularies, *zip(*pairs, strict=True)) for pairs in data["train"]]
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(model, folder)
        _, seconds = timed(lambda batch: update(trainer, batch), batches)
    speed = sum(batch.ntokens for batch in batches) / seconds
    print(f"JoeyNMT trains at {speed:,.0f} pieces/s.")
    return speed


def decode_round(
    model: Model, vocabularies: Sequence[Vocabulary], data: Mapping[str, Any], steps: int | None
) -> float:
    model.eval()
    batches = [make_batch(vocabularies, sources, None) for sources in data["test"]]
    found, seconds = timed(lambda batch: decode(model, batch, data["beam"], steps), batches)
    speed = (steps or 1) * sum(map(len, found)) / seconds
    if steps is None:
        same = share_of_same(found, data["found"])
        print(f"JoeyNMT translates {speed:,.1f} sentences/s; {same:.0%} are the same as ours.")
    else:
        print(f"JoeyNMT decodes {speed:,.0f} pieces/s.")
    return speed


def main() -> None:
    what, attention, folder = sys.argv[1:]
    logging.disable()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data: dict[str, Any] = json.loads((Path(folder) / "data.json").read_text())
    symbols = SimpleNamespace(**_check_special_symbols({}))
    vocabularies = [Vocabulary(pieces, symbols) for pieces in data["vocabularies"]]
    model = make_model(attention, vocabularies, data["dropout"])
    if what == "train":
        speed = train_round(model, vocabularies, data)
    else:
        weights = torch.load(Path(folder) / "weights.pt")
        set_weights(model, weights, data["vocabularies"], vocabularies)
        steps = data["steps"] if what == "steps" else None
        speed = decode_round(model, vocabularies, data, steps)
    print(json.dumps(speed))


if __name__ == "__main__":
    main()
