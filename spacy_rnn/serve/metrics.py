"""Metrics of the service in the format of Prometheus."""

import os
from pathlib import Path
from typing import Any

STATM = Path("/proc/self/statm")
#: the folder through which processes share metrics, as prometheus_client calls it
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """What the service measures. With several processes, those of all of them are added up, but for
    memory, which each has its own of.

    requests: The number of requests by endpoint and status.
    seconds: A histogram of the time until the answer, by endpoint.
    queue_texts: The number of texts that wait.
    batch_texts: A histogram of the number of texts in a batch.
    memory: The bytes of memory in use.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        kept: Any = {"registry": self._registry, "namespace": "spacy_rnn"}
        self.requests = Counter(
            "requests", "Requests by endpoint and status", ["endpoint", "status"], **kept
        )
        self.seconds = Histogram(
            "request_seconds",
            "Time until the answer of a request",
            ["endpoint"],
            buckets=SECONDS,
            **kept,
        )
        self.queue_texts = Gauge(
            "queue_texts", "Texts that wait", multiprocess_mode="livesum", **kept
        )
        self.batch_texts = Histogram("batch_texts", "Texts in a batch", buckets=TEXTS, **kept)
        self.memory = Gauge(
            "resident_memory_bytes", "Memory in use", multiprocess_mode="liveall", **kept
        )

    def render(self) -> bytes:
        """Write the metrics of all processes.

        RETURNS (bytes): The text for Prometheus.
        """
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        self.update_memory()
        registry = self._registry
        if SHARED_FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)

    def update_memory(self) -> None:
        """Measure the memory of this process, where the system has /proc."""
        if STATM.exists():
            pages = int(STATM.read_text().split()[1])
            self.memory.set(pages * os.sysconf("SC_PAGE_SIZE"))
