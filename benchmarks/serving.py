"""A pipeline under load: `python -m spacy rnn serve` with one process, and a client on the same
machine that sends the sentences of UD English EWT test, one in each request. The pipeline is
`rnn_tagger` with configs/tagger_small.cfg after a short training.

* Throughput and latency (p50, p95, p99) of 1 to 64 clients that wait for each answer.
* Requests at regular times at 70 % of the highest throughput: `p99_over_p50`.
* Requests at regular times at 150 % of it, for minutes: `memory_growth`, the most memory after the
  first tenth of the time over the most in it; `refused`, the share of requests that get status 429;
  and `accepted_share`, the texts answered per second over the highest throughput.

`wrong_answers` counts answers that differ from those of `nlp.pipe` offline, `requests_lost` those
without an answer of status 200 or 429, over all parts.

    python benchmarks/serving.py [--quick] [--minutes N]
"""

import asyncio
import json
import math
import random
import re
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
#: connections for requests at regular times: more than texts that may wait in the server
CONNECTIONS, QUEUE = 512, 200
LATE = 0.1
#: seconds of each measurement, and minutes of overload
FULL, QUICK = (10.0, 10.0), (1.5, 0.1)
SAMPLES = 100
TOLERANCE = 1e-4


@dataclass
class Outcome:
    """What came of requests: their statuses, and the seconds of those with an answer of 200."""

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
        except (OSError, asyncio.IncompleteReadError):
            self.outcome.lost += 1
            return
        self.outcome.statuses[status] += 1
        if status == 200:
            self.outcome.seconds.append(time.perf_counter() - start)
            expected = {"results": [self.expected[text]]}
            if not same(json.loads(body), expected):
                self.outcome.wrong += 1
                print(f"wrong answer: {body.decode()} for {json.dumps(expected)}", flush=True)
        elif status != 429:
            self.outcome.lost += 1

    async def request(self, body: bytes) -> tuple[int, bytes]:
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
        """The outcome of what is sent in the block."""
        outcome = self.outcome = Outcome()
        start = time.perf_counter()
        yield outcome
        outcome.elapsed = time.perf_counter() - start

    async def closed_loop(self, clients: int, seconds: float) -> Outcome:
        """So many clients that send the next text when they have the answer to the last."""
        end = time.perf_counter() + seconds

        async def run() -> None:
            while time.perf_counter() < end:
                await self.send()

        async with self.measured() as outcome:
            await asyncio.gather(*(run() for _ in range(clients)))
        return outcome

    async def open_loop(self, rate: float, seconds: float) -> Outcome:
        """Texts at regular times. The seconds of an answer count from the time when the text was
        due, whether it was sent by then or not. Texts for which there is no connection for `LATE`
        seconds are left out: sent later, they would make another load than that asked for."""
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


def same(found: Any, expected: Any) -> bool:
    """Whether two values of JSON are equal, numbers up to rounding."""
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in found)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, float):
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return found == expected


def trained(limit: int | None) -> tuple[Language, list[str]]:
    """A pipeline, and the texts that it is sent."""
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
    """A server of the pipeline, with its address."""
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
    """Measure the memory of a process at regular times."""
    for _ in range(SAMPLES):
        await asyncio.sleep(seconds / SAMPLES)
        found.append(common.resident_bytes(pid))


async def measure(process: Any, client: Client, seconds: float, minutes: float) -> dict[str, Any]:
    await client.closed_loop(8, seconds)
    loads = {n: await client.closed_loop(n, seconds) for n in CONCURRENCY}
    rows = [
        [f"{n} clients", o.throughput, *(o.milliseconds(p) for p in (50, 95, 99))]
        for n, o in loads.items()
    ]
    peak = max(outcome.throughput for outcome in loads.values())
    normal = await client.open_loop(0.7 * peak, 2 * seconds)
    rows.append(["70 % of the peak", normal.throughput, *map(normal.milliseconds, (50, 95, 99))])
    memory: list[int] = []
    over, _ = await asyncio.gather(
        client.open_loop(1.5 * peak, 60 * minutes), sample_memory(process.pid, 60 * minutes, memory)
    )
    rows.append(["150 % of the peak", over.throughput, *map(over.milliseconds, (50, 95, 99))])
    show("Requests of one text", ["load", "texts/s", "p50 ms", "p95 ms", "p99 ms"], rows)
    outcomes: Sequence[Outcome] = [*loads.values(), normal, over]
    tenth = SAMPLES // 10
    return {
        "texts_per_second": round(peak, 1),
        "p50_ms": loads[1].milliseconds(50),
        "p99_ms": loads[1].milliseconds(99),
        "p99_over_p50": round(normal.milliseconds(99) / normal.milliseconds(50), 2),
        "memory_growth": round(max(memory[tenth:]) / max(memory[:tenth]), 3),
        "refused": round(over.statuses[429] / max(sum(over.statuses.values()), 1), 3),
        "accepted_share": round(over.throughput / peak, 3),
        "wrong_answers": sum(outcome.wrong for outcome in outcomes),
        "requests_lost": sum(outcome.lost for outcome in outcomes),
    }


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--minutes", type=float, help="of overload; 10 by default")
    options = parser.parse_args()
    common.one_thread()
    seconds, minutes = QUICK if options.quick else FULL
    nlp, texts = trained(1000 if options.quick else None)
    lines = as_json(nlp.pipe(texts), predictions_of(nlp))
    expected = {text: json.loads(line) for text, line in zip(texts, lines, strict=True)}
    with server(nlp) as (process, address):
        client = Client(address, expected)
        minutes = minutes if options.minutes is None else options.minutes
        result = asyncio.run(measure(process, client, seconds, minutes))
    common.finish(result)


if __name__ == "__main__":
    main()
