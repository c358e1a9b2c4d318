"""A pipeline under load: `python -m spacy rnn serve` with one process, and a client on the same
machine that sends the sentences of UD English EWT test, one in each request. The pipeline is
`rnn_tagger` with configs/tagger_small.cfg after a short training.

* First, the throughput and latency (p50, p95, p99) of 1 to 64 clients that wait for each answer are
  measured.
* Then there are several rounds. In each, the number of clients with the highest throughput runs
  first, which gives the peak of the round; then requests are sent at regular intervals at 70 % of
  the peak, and then at 150 %. Other programs on the machine slow all three alike. `p99_over_p50` is
  measured at 70 %; `accepted_share` is the number of texts answered per second at 150 % divided by
  the peak; `refused` is the share of requests at 150 % that get status 429. The figures are medians
  over the rounds.
* `memory_growth` is the peak memory after the first tenth of the rounds divided by the peak in that
  tenth.

`wrong_answers` counts answers that differ from those of `nlp.pipe` offline, and `requests_lost`
counts requests without an answer of status 200 or 429, both over all parts. A tag is right if its
probability is at most `ROUNDING` below that of the best tag: probabilities depend on the batch by
about that much, so that either of two tied tags may be predicted. `near_ties` is the number of
tokens with several right tags.

    python benchmarks/serving.py [--quick] [--minutes N]
"""

import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import common
import numpy as np
import spacy
from common import show
from spacy.language import Language
from thinc.api import Config

from spacy_rnn.pipeline.predictions import as_json, predictions_of

CONCURRENCY = (1, 2, 4, 8, 16, 32, 64)
UPDATES = 40
#: number of connections for requests at regular intervals, which is more than the number of texts
#: that may wait in the server
CONNECTIONS, QUEUE = 512, 200
LATE = 0.1
#: seconds of each measurement, and minutes of overload in total
FULL, QUICK = (10.0, 10.0), (1.5, 0.1)
SAMPLES_PER_ROUND = 10
#: twice the largest difference that the batch makes to a probability
ROUNDING = 2e-5


@dataclass
class Outcome:
    """The outcome of requests: their statuses, and the seconds of those with status 200."""

    statuses: Counter = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    lost: int = 0
    elapsed: float = 0.0

    @property
    def throughput(self) -> float:
        return len(self.seconds) / self.elapsed

    def milliseconds(self, percentile: float) -> float:
        return round(1000 * float(np.percentile(self.seconds, percentile)), 2)


class Client:
    """Sends texts to a server over connections that stay open, and checks the answers."""

    def __init__(self, address: tuple[str, int], expected: dict[str, Any]):
        self.address = address
        self.expected = expected
        self.texts = list(expected)
        self.rng = random.Random(0)
        self.outcome = Outcome()
        self.idle: list[Any] = []

    async def send(self, since: float | None = None) -> None:
        """Send a text. since: the time from which the seconds count."""
        text = self.rng.choice(self.texts)
        start = time.perf_counter() if since is None else since
        try:
            status, body = await self.request(json.dumps({"texts": [text]}).encode())
        except (OSError, asyncio.IncompleteReadError) as error:
            self.outcome.lost += 1
            print(f"lost: {error!r}", flush=True)
            return
        self.outcome.statuses[status] += 1
        if status == 200:
            self.outcome.seconds.append(time.perf_counter() - start)
            (found,) = json.loads(body)["results"]
            if not is_right(found, self.expected[text]):
                self.outcome.wrong += 1
                print(f"wrong answer: {found} for {self.expected[text]}", flush=True)
        elif status != 429:
            self.outcome.lost += 1
            print(f"lost: {status} {body.decode()}", flush=True)

    async def request(self, body: bytes) -> tuple[int, bytes]:
        # The server closes connections that have had no request for a while.
        while self.idle and self.idle[-1][0].at_eof():
            self.idle.pop()
        connection = self.idle.pop() if self.idle else await asyncio.open_connection(*self.address)
        reader, writer = connection
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        found = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", found)
        assert length is not None
        answer = await reader.readexactly(int(length[1]))
        self.idle.append(connection)
        return int(found.split(" ")[1]), answer

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[Outcome]:
        """The outcome of the requests that are sent in the `with` block."""
        outcome = self.outcome = Outcome()
        start = time.perf_counter()
        yield outcome
        outcome.elapsed = time.perf_counter() - start

    async def closed_loop(self, clients: int, seconds: float) -> Outcome:
        """Run clients that send the next text when they have the answer to the last one."""
        end = time.perf_counter() + seconds

        async def run() -> None:
            while time.perf_counter() < end:
                await self.send()

        async with self.measured() as outcome:
            await asyncio.gather(*(run() for _ in range(clients)))
        return outcome

    async def open_loop(self, rate: float, seconds: float) -> Outcome:
        """Send texts at regular intervals. The seconds of an answer count from the time when the
        text was due, even if it was sent later. Texts for which there is no free connection for
        `LATE` seconds are left out, because sending them later would change the load."""
        start = time.perf_counter()
        number = 0

        async def run() -> None:
            nonlocal number
            while number < rate * seconds:
                number = max(number, int(rate * (time.perf_counter() - start - LATE)))
                due = start + number / rate
                number += 1
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await self.send(due)

        async with self.measured() as outcome:
            await asyncio.gather(*(run() for _ in range(CONNECTIONS)))
        return outcome


def right_answers(nlp: Language, texts: Sequence[str]) -> dict[str, Any]:
    """The answer to each text as JSON, with the set of right tags of each token."""
    docs = list(nlp.pipe(texts))
    tagger: Any = nlp.get_pipe("rnn_tagger")
    labels = np.array(tagger.labels_of("tag"))
    found = {}
    answers = zip(docs, as_json(docs, predictions_of(nlp)), strict=True)
    for (doc, line), predicted in zip(answers, tagger.predict_probabilities(docs), strict=True):
        p = predicted["tag"]
        right = p >= p.max(axis=1, keepdims=True) - ROUNDING
        found[doc.text] = {**json.loads(line), "tags": [{*labels[tags]} for tags in right]}
    return found


def is_right(found: Any, expected: Any) -> bool:
    """Whether an answer is right."""
    if found.keys() != expected.keys() or len(found["tags"]) != len(expected["tags"]):
        return False
    tags = zip(found["tags"], expected["tags"], strict=True)
    rest = (found[key] == expected[key] for key in found if key != "tags")
    return all(tag in right for tag, right in tags) and all(rest)


def trained(limit: int | None) -> tuple[Language, list[str]]:
    """A trained pipeline, and the texts to send."""
    spacy.util.fix_random_seed(0)
    vocab = spacy.blank("en").vocab
    gold, test = common.treebank("train", vocab, limit), common.treebank("test", vocab, limit)
    config = Config().from_disk(common.REPO / "configs" / "tagger_small.cfg")
    nlp = common.pipeline(gold, "rnn_tagger", config["components"]["tagger"]["model"])
    batches = common.padded_batches(common.examples(gold, vocab))[:UPDATES]
    docs = [[eg.reference for eg in batch] for batch in batches]
    common.training(nlp, docs, common.adamw(), common.DROPOUT)()
    return nlp, [doc.text for doc in test]


@contextmanager
def server(nlp: Language) -> Iterator[tuple[subprocess.Popen, tuple[str, int]]]:
    """Run a server of the pipeline; gives its process and its address."""
    with tempfile.TemporaryDirectory() as folder:
        nlp.to_disk(folder)
        command = [sys.executable, "-m", "spacy", "rnn", "serve", folder]
        command += ["--port", "0", "--queue-size", str(QUEUE)]
        environment = common.one_thread()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            port = None
            while port is None:
                port = re.search(r"http://127.0.0.1:(\d+)", process.stdout.readline())
            try:
                yield process, ("127.0.0.1", int(port[1]))
            finally:
                process.terminate()


async def sample_memory(pid: int, seconds: float, found: list[int]) -> None:
    """Measure the memory of a process at regular intervals."""
    for _ in range(SAMPLES_PER_ROUND):
        await asyncio.sleep(seconds / SAMPLES_PER_ROUND)
        found.append(common.resident_bytes(pid))


def row(load: str, outcomes: Sequence[Outcome]) -> list[Any]:
    """A row of the table: the medians of outcomes under one load."""
    percentiles = ([o.milliseconds(p) for o in outcomes] for p in (50, 95, 99))
    throughput = statistics.median(o.throughput for o in outcomes)
    return [load, throughput, *map(statistics.median, percentiles)]


async def measure(process: Any, client: Client, seconds: float, minutes: float) -> dict[str, Any]:
    await client.closed_loop(8, seconds)
    loads = {n: await client.closed_loop(n, seconds) for n in CONCURRENCY}
    best = max(loads, key=lambda n: loads[n].throughput)
    peaks, normal, over = [], [], []
    memory: list[int] = []
    for _ in range(max(2, round(60 * minutes / seconds))):
        peaks.append(await client.closed_loop(best, seconds / 2))
        peak = peaks[-1].throughput
        normal.append(await client.open_loop(0.7 * peak, seconds / 2))
        sampling = sample_memory(process.pid, seconds, memory)
        outcome, _ = await asyncio.gather(client.open_loop(1.5 * peak, seconds), sampling)
        over.append(outcome)
    rows = [row(f"{n} clients", [outcome]) for n, outcome in loads.items()]
    rows.append(row(f"{best} clients, the peak", peaks))
    rows += [row("70 % of the peak", normal), row("150 % of the peak", over)]
    show("Requests of one text", ["load", "texts/s", "p50 ms", "p95 ms", "p99 ms"], rows)
    outcomes: Sequence[Outcome] = [*loads.values(), *peaks, *normal, *over]
    tenth = max(1, len(memory) // 10)
    tails = [o.milliseconds(99) / o.milliseconds(50) for o in normal]
    shares = [o.throughput / p.throughput for o, p in zip(over, peaks, strict=True)]
    refused = [o.statuses[429] / max(sum(o.statuses.values()), 1) for o in over]
    return {
        "texts_per_second": round(statistics.median(o.throughput for o in peaks), 1),
        "p50_ms": loads[1].milliseconds(50),
        "p99_ms": loads[1].milliseconds(99),
        "p99_over_p50": round(statistics.median(tails), 2),
        "memory_growth": round(max(memory[tenth:]) / max(memory[:tenth]), 3),
        "refused": round(statistics.median(refused), 3),
        "accepted_share": round(statistics.median(shares), 3),
        "near_ties": sum(len(tags) > 1 for a in client.expected.values() for tags in a["tags"]),
        "wrong_answers": sum(outcome.wrong for outcome in outcomes),
        "requests_lost": sum(outcome.lost for outcome in outcomes),
    }


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--minutes", type=float, help="minutes of overload in total; default: 10")
    options = parser.parse_args()
    common.one_thread()
    seconds, minutes = QUICK if options.quick else FULL
    nlp, texts = trained(1000 if options.quick else None)
    with server(nlp) as (process, address):
        client = Client(address, right_answers(nlp, texts))
        minutes = minutes if options.minutes is None else options.minutes
        result = asyncio.run(measure(process, client, seconds, minutes))
    common.finish(result)


if __name__ == "__main__":
    main()
