"""The queue of texts."""

import asyncio
import random

import pytest

pytest.importorskip("prometheus_client", reason="needs the extra serve")
from spacy_rnn.serve.batches import Batches  # noqa: E402
from spacy_rnn.serve.metrics import Metrics  # noqa: E402

N_REQUESTS = 2000


def test_each_request_gets_its_own_answers():
    """It does not matter how texts are batched, or which other requests are canceled."""
    answers = {
        "upper": lambda texts: [text.upper() for text in texts],
        "twice": lambda texts: [text * 2 for text in texts],
    }
    batches = Batches(answers, 7, 0.0001, 100 * N_REQUESTS, Metrics())
    rng = random.Random(0)
    answered = given_up = 0

    async def ask(number):
        nonlocal answered, given_up
        texts = [f"text {number} {i}" for i in range(rng.choice((1, 2, 20)))]
        name = rng.choice(("upper", "twice"))
        task = asyncio.create_task(batches.submit(name, texts))
        if rng.random() < 0.3:
            await asyncio.sleep(rng.random() / 100)
            task.cancel()
        try:
            assert await task == answers[name](texts)
            answered += 1
        except asyncio.CancelledError:
            given_up += 1

    async def ask_all():
        await asyncio.gather(*map(ask, range(N_REQUESTS)))

    asyncio.run(ask_all())
    batches.close()
    assert answered + given_up == N_REQUESTS
    assert answered and given_up
