"""Batches of texts from several requests, answered by one thread."""

import asyncio
import math
import threading
import time
from collections import deque
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Deque, Dict, List, Mapping, NamedTuple, Sequence, Union

from .answers import Answer
from .metrics import Metrics

#: share of the last batch in the running mean of the texts per second
FRESH = 0.2


class QueueFull(Exception):
    """There is no room for the texts of a request.

    retry_after (int): The seconds after which there probably is.
    """

    def __init__(self, retry_after: int):
        super().__init__(f"Too many texts are waiting. Try again in {retry_after} s.")
        self.retry_after = retry_after


@dataclass(eq=False)
class _Request:
    """A request that waits.

    future (asyncio.Future): Gets the answers.
    answers (Dict[int, str]): Those that are ready, by the position of the text.
    n_texts (int): The number of its texts.
    """

    future: "asyncio.Future[List[str]]"
    n_texts: int
    answers: Dict[int, str] = field(default_factory=dict)


class _Item(NamedTuple):
    """A text of a request.

    name (str): The function that answers it.
    arrived (float): The time when it arrived.
    """

    name: str
    text: str
    position: int
    request: _Request
    arrived: float


class Batches:
    """A queue of texts and the thread that answers them. A batch has texts of any requests for the
    same function.

    answers (Mapping[str, Answer]): The functions. Only the thread calls them.
    batch_size (int): The most texts in a batch.
    wait (float): The seconds that the oldest text waits for others to fill its batch.
    capacity (int): The most texts that wait.
    metrics (Metrics): Counts the batches.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer],
        batch_size: int,
        wait: float,
        capacity: int,
        metrics: Metrics,
    ):
        self._answers = answers
        self._batch_size = batch_size
        self._wait = wait
        self._capacity = capacity
        self._metrics = metrics
        self._queue: Deque[_Item] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._texts_per_second = 0.0
        # thinc keeps the device in the context.
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """True if texts are answered."""
        return self._thread.is_alive() and not self._closed

    @property
    def has_room(self) -> bool:
        """True if another text may wait."""
        return len(self._queue) < self._capacity

    def check_room(self, n_texts: int) -> None:
        """Check that texts may wait.

        n_texts (int): The number of texts.
        RAISES (QueueFull): If too many are waiting.
        """
        if len(self._queue) + n_texts > self._capacity:
            raise QueueFull(self._seconds_to_drain())

    async def submit(self, name: str, texts: Sequence[str]) -> List[str]:
        """Wait for the answers to texts. Texts of a request that is canceled leave the queue.

        name (str): The function.
        texts (Sequence[str]): The texts.
        RETURNS (List[str]): The answer to each.
        RAISES (QueueFull): If too many texts are waiting.
        """
        if not texts:
            return []
        request = _Request(asyncio.get_running_loop().create_future(), len(texts))
        now = time.monotonic()
        items = [_Item(name, text, i, request, now) for i, text in enumerate(texts)]
        with self._changed:
            self.check_room(len(items))
            self._queue.extend(items)
            self._metrics.queue_texts.set(len(self._queue))
            self._changed.notify()
        try:
            return await request.future
        except asyncio.CancelledError:
            with self._changed:
                self._queue = deque(x for x in self._queue if x.request is not request)
                self._metrics.queue_texts.set(len(self._queue))
            raise

    def _seconds_to_drain(self) -> int:
        if not self._texts_per_second:
            return 1
        return max(1, math.ceil(len(self._queue) / self._texts_per_second))

    def close(self) -> None:
        """End the thread after the texts that wait are answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    # In the thread

    def _run(self) -> None:
        while batch := self._next_batch():
            self._metrics.batch_texts.observe(len(batch))
            start = time.monotonic()
            self._answer(batch)
            speed = len(batch) / max(time.monotonic() - start, 1e-6)
            before = self._texts_per_second or speed
            self._texts_per_second = before + FRESH * (speed - before)

    def _next_batch(self) -> List[_Item]:
        """Wait for a batch: the oldest text, and those after it for the same function. It is empty
        at the end."""
        with self._changed:
            while not self._closed and len(self._queue) < self._batch_size:
                left = None
                if self._queue:
                    left = self._queue[0].arrived + self._wait - time.monotonic()
                    if left <= 0:
                        break
                self._changed.wait(left)
            batch: List[_Item] = []
            others: Deque[_Item] = deque()
            while self._queue and len(batch) < self._batch_size:
                item = self._queue.popleft()
                same = not batch or item.name == batch[0].name
                (batch if same else others).append(item)
            self._queue.extendleft(reversed(others))
            self._metrics.queue_texts.set(len(self._queue))
        return batch

    def _answer(self, batch: List[_Item]) -> None:
        try:
            answers = self._answers[batch[0].name]([item.text for item in batch])
        except Exception as error:
            if len(batch) > 1:
                # Only the requests whose texts cannot be read get the error.
                for item in batch:
                    self._answer([item])
                return
            _finish(batch[0].request, error)
            return
        for item, answer in zip(batch, answers, strict=True):
            request = item.request
            request.answers[item.position] = answer
            if len(request.answers) == request.n_texts:
                _finish(request, [request.answers[i] for i in range(request.n_texts)])


def _finish(request: _Request, result: Union[List[str], Exception]) -> None:
    """Give a request its answers or an error. Called in the thread."""

    def finish() -> None:
        if request.future.done():
            return
        if isinstance(result, Exception):
            request.future.set_exception(result)
        else:
            request.future.set_result(result)

    request.future.get_loop().call_soon_threadsafe(finish)
