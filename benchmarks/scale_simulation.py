"""How long annotation of many words takes on many cores, and what it costs: a simulation.

    python benchmarks/scale_simulation.py [--words 1e9 1e12] [--cores 100 1000 ...]

Workers take blocks of the input from one driver, which needs some time for each block. A worker
reads its block from shared storage, annotates it, and writes the result to the storage, which
serves one request after the other at its bandwidth. A worker may die while it annotates; then its
block is annotated again by another worker. The default price, bandwidth and failures are assumed;
the other defaults are measured by `scale.py` (cost) on one core of the processor that is named in
benchmarks/README.md.
"""

import argparse
import heapq
import random
from dataclasses import dataclass, replace
from typing import NamedTuple

from wasabi import table


@dataclass(frozen=True)
class Setting:
    """The settings of a simulation.

    words (float): The words of the input.
    cores (int): The workers, with a core each.
    speed (float): The words/s of a worker.
    bytes_in, bytes_out (float): The bytes of a word in the input and in the output.
    block_mb (float): The megabytes of input in a block.
    dispatch (float): The seconds that the driver needs for a block.
    storage (float): The gigabytes/s of the storage.
    start (float): The seconds until a worker has loaded the pipeline.
    lifetime (float): The mean hours until a worker dies; it is replaced after `start` seconds.
    price (float): The dollars for an hour of a core.
    """

    words: float = 1e9
    cores: int = 1
    speed: float = 10_600
    bytes_in: float = 6.5
    bytes_out: float = 12.9
    block_mb: float = 4.0
    dispatch: float = 0.006
    storage: float = 10.0
    start: float = 15.0
    lifetime: float = 1000.0
    price: float = 0.04


class Outcome(NamedTuple):
    """The result of a simulation.

    hours (float): The time until the last block is written.
    dollars (float): The price of all cores for that time.
    efficiency (float): The share of the time in which the cores annotate.
    limit (str): What the workers wait for most.
    """

    hours: float
    dollars: float
    efficiency: float
    limit: str


def simulate(setting: Setting, seed: int = 0) -> Outcome:
    """Simulate block by block."""
    rng = random.Random(seed)
    words = setting.block_mb * 2**20 / setting.bytes_in
    n_blocks = max(1, round(setting.words / words))
    work = words / setting.speed
    transfer = [words * n / (setting.storage * 1e9) for n in (setting.bytes_in, setting.bytes_out)]
    risk = work / (setting.lifetime * 3600)
    # The time when each worker is free, and whether it has to write the result of its last block.
    workers = [(setting.start, False)] * min(setting.cores, n_blocks)
    driver_free = storage_free = end = 0.0
    waited = {"driver": 0.0, "storage": 0.0}
    left, unwritten = n_blocks, n_blocks
    while unwritten:
        now, has_result = heapq.heappop(workers)
        if has_result:
            begun = max(now, storage_free)
            waited["storage"] += begun - now
            storage_free = end = begun + transfer[1]
            unwritten -= 1
            heapq.heappush(workers, (storage_free, False))
            continue
        if not left:
            # The worker waits for blocks of workers that die, if there are any.
            continue
        left -= 1
        begun = max(now, driver_free)
        waited["driver"] += begun - now
        driver_free = begun + setting.dispatch
        ready = max(driver_free, storage_free)
        waited["storage"] += ready - driver_free
        storage_free = ready + transfer[0]
        # Blocks differ: words are longer or shorter, cores are shared.
        done = storage_free + work * rng.uniform(0.8, 1.2)
        if rng.random() < risk:
            left += 1
            heapq.heappush(workers, (done + setting.start, False))
        else:
            heapq.heappush(workers, (done, True))
    busy = n_blocks * work
    limit = max(waited, key=lambda name: waited[name])
    if sum(waited.values()) < 0.05 * busy:
        limit = "cores"
    hours = end / 3600
    return Outcome(
        hours, hours * setting.cores * setting.price, busy / (end * setting.cores), limit
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Setting()
    parser.add_argument("--words", type=float, nargs="+", default=[1e9, 1e12])
    parser.add_argument("--cores", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    for name in ("speed", "bytes_in", "bytes_out", "block_mb", "dispatch", "storage", "price"):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=float, default=getattr(default, name)
        )
    options = vars(parser.parse_args())
    words, cores = options.pop("words"), options.pop("cores")
    rows = []
    for n_words in words:
        for n_cores in cores:
            found = simulate(replace(default, words=n_words, cores=n_cores, **options))
            numbers = (f"{found.hours:,.2f}", f"{found.dollars:,.0f}", f"{found.efficiency:.0%}")
            rows.append((f"{n_words:.0e}", f"{n_cores:,}", *numbers, found.limit))
    header = ("words", "cores", "hours", "dollars", "efficiency", "limit")
    print(table(rows, header=header, divider=True, aligns=("l", "r", "r", "r", "r", "l")))


if __name__ == "__main__":
    main()
