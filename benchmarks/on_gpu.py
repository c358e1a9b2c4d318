"""Run everything that needs a GPU, within eight minutes: the tests marked `gpu`, the speed
benchmarks with `--gpu`, and two minutes of training a large language model. After each step, the
figures so far are written to one JSON file; the output of each step is in `on_gpu.STEP.log` in the
same folder.

    benchmarks/on_gpu.sh OUTPUT.json [--dry-run]

Keys: device, torch, date, and one for each step. The value of a step is the object that it prints
or, for `pytest`, how many tests passed, failed and were skipped. It also has the seconds that the
step took and, if the step failed, the end of its output as `error`; the exit status is then 1.

--dry-run: smaller versions of the same steps, on the CPU.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import torch

REPO = Path(__file__).resolve().parent.parent
#: arguments of each speed benchmark: only the parts that need nothing but bare torch
BENCHMARKS = {
    "tagger_speed": ["--quick", "--only", "bare"],
    "textcat_speed": ["--quick", "--only", "bare"],
    "crf_speed": ["--quick", "--only", "bare"],
    "translator_speed": ["--quick", "--only", "train", "steps"],
    "lm_speed": ["--quick", "--only", "train"],
}
#: seconds after which a step is stopped on a GPU
TESTS_LIMIT, SPEED_LIMIT, TRAINING_LIMIT = 150, 90, 180
#: factor of these limits in a dry run, because a CPU may also run other processes
DRY_RUN_FACTOR = 4
#: exit statuses of `timeout` if it stopped a command
STOPPED = (124, 137)
#: No test in here needs a GPU, and the GPU machine may lack libraries that these tests import.
IGNORED = ("tests/readers", "tests/features", "tests/test_text_files.py")
#: lines of a step's output that are kept as its error
ERROR_LINES = 15
Result = dict[str, Any]


class Step(NamedTuple):
    """arguments: the arguments of Python. limit: the time limit in seconds. figures: reads the
    figures from the step's output."""

    name: str
    arguments: list[str]
    limit: int
    figures: Callable[[str], Result]


def all_steps(dry_run: bool, folder: Path) -> list[Step]:
    report = folder / "on_gpu.pytest.xml"
    report.unlink(missing_ok=True)
    tests = ["-m", "gpu", *(f"--ignore={path}" for path in IGNORED)]
    if dry_run:
        tests = ["-m", "not gpu", "tests/analysis/test_gradients.py"]
    options = ["-v", "-n", "4", "--timeout", "60", f"--junitxml={report}", *tests]
    steps = [Step("pytest", ["-m", "pytest", *options], TESTS_LIMIT, lambda _: counts(report))]
    device = [] if dry_run else ["--gpu"]
    for name, parts in BENCHMARKS.items():
        arguments = [f"benchmarks/{name}.py", *device, *parts]
        steps.append(Step(name, arguments, SPEED_LIMIT, printed))
    arguments = ["benchmarks/lm_awd.py", *(device or ["--quick"])]
    steps.append(Step("lm_awd", arguments, TRAINING_LIMIT, printed))
    factor = DRY_RUN_FACTOR if dry_run else 1
    return [step._replace(limit=step.limit * factor) for step in steps]


def counts(report: Path) -> Result:
    """How many tests passed, failed and were skipped."""
    (suite,) = ElementTree.parse(report).getroot()
    n, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    return {"passed": n - failed - skipped, "failed": failed, "skipped": skipped}


def printed(output: str) -> Result:
    """The figures that a benchmark prints last; only warnings may follow."""
    return json.loads([line for line in output.splitlines() if line.startswith("{")][-1])


def run(step: Step, log: Path) -> Result:
    """Run a step; returns its figures, its seconds, and its error if it failed."""
    start = time.perf_counter()
    # `timeout` also stops the processes that the step has started.
    command = ["timeout", "--kill-after=5", str(step.limit), sys.executable, *step.arguments]
    with log.open("w") as file:
        code = subprocess.run(command, cwd=REPO, stdout=file, stderr=subprocess.STDOUT).returncode
    seconds = round(time.perf_counter() - start, 1)
    output = log.read_text(errors="replace")
    lines = output.splitlines()[-ERROR_LINES:]
    try:
        result = {**step.figures(output), "seconds": seconds}
    except (OSError, ValueError, IndexError, ElementTree.ParseError) as error:
        code = code or 1
        result = {"seconds": seconds}
        lines.append(f"There are no figures: {error!r}")
    if code:
        stopped = ", stopped by its time limit" if code in STOPPED else ""
        lines.append(f"Exit status {code}{stopped}")
        result["error"] = "\n".join(lines)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, metavar="OUTPUT.json")
    parser.add_argument("--dry-run", action="store_true", help="smaller versions, on the CPU")
    options = parser.parse_args()
    output = options.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    results: Result = {
        "device": "cpu" if options.dry_run else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    start = time.perf_counter()
    failed = False
    for step in all_steps(options.dry_run, output.parent):
        print(f"{time.perf_counter() - start:4.0f} s: {step.name}", flush=True)
        result = run(step, output.parent / f"on_gpu.{step.name}.log")
        print(json.dumps(result), flush=True)
        failed |= "error" in result
        results[step.name] = result
        # After each step, so that nothing is lost if a later one is interrupted.
        output.write_text(json.dumps(results, indent=2) + "\n")
    print(f"{time.perf_counter() - start:4.0f} s: done", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
