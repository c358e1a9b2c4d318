"""Annotation by Ray Data, on a cluster of two nodes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from spacy_rnn.scale import annotate
from spacy_rnn.scale.ray_data import WorkerError

from ..helpers.cli import run, shown
from ..helpers.scale import assert_predicted, make_texts, rows_of, write_lines

pytestmark = pytest.mark.scale
TEXTS = make_texts(600)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with one core each. A test may remove the second one as its last action."""
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def source(tmp_path):
    return write_lines(tmp_path / "texts.jsonl", TEXTS)


def in_workers(folder, code):
    """A file with code that runs in workers, not in this process."""
    path = folder / "code.py"
    path.write_text(f"import os\nif os.getpid() != {os.getpid()}:\n    {code}\n")
    return path


def n_done(output):
    return len([*output.glob("part-*")])


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_equal_to_one_process(cluster, model, source, tmp_path):
    with_bad = write_lines(tmp_path / "bad.jsonl", [*TEXTS, None])
    found = annotate(with_bad, str(model), tmp_path / "out", block_size=3000)
    *rows, bad = sorted(rows_of(tmp_path / "out"), key=lambda row: row["id"])
    assert_predicted(rows, model, TEXTS)
    assert bad["id"] == len(TEXTS) and bad["error"] == "The text is missing."
    assert found.rows == len(TEXTS) + 1 and found.failed == 1
    assert found.words == sum(len(row["tokens"]) for row in rows)
    assert len(found.speeds) == 2
    # There is nothing left to do.
    again = annotate(with_bad, str(model), tmp_path / "out", block_size=3000)
    assert again == found._replace(speeds={})


def test_command(cluster, model, source, tmp_path):
    options = ("--columns", "ents, tags", "--block-mb", 0.005)
    for _ in range(2):
        printed = shown(run("rnn", "apply-ray", model, source, tmp_path / "out", *options))
        assert f"Wrote {len(TEXTS)} rows to" in printed
    assert list(rows_of(tmp_path / "out")[0]) == ["id", "text", "ents", "tags", "error"]
    printed = run("rnn", "apply-ray", model, source, tmp_path / "out", code=1)
    assert "was begun with another 'block_size'" in shown(printed)


def test_a_model_that_does_not_load_on_a_worker(cluster, model, source, tmp_path):
    code = in_workers(tmp_path, "raise ImportError('no such part')")
    options = ("--code", code, "--workers", 1)
    printed = run("rnn", "apply-ray", model, source, tmp_path / "out", *options, code=1)
    assert "can't be loaded on" in shown(printed) and "no such part. Every" in shown(printed)
    assert "Traceback" not in printed and "ray" not in printed


def test_a_full_disk(cluster, model, source, tmp_path):
    fail = (
        "import pyarrow.parquet as pq\n"
        "    write = pq.ParquetWriter.write_table\n"
        "    def fail(self, table):\n"
        "        if any(row['id'] > 300 for row in table.to_pylist()):\n"
        "            raise OSError(28, 'No space left on device')\n"
        "        write(self, table)\n"
        "    pq.ParquetWriter.write_table = fail"
    )
    code = in_workers(tmp_path, fail)
    with pytest.raises(WorkerError, match="No space left on device.*What is done is kept"):
        annotate(source, str(model), tmp_path / "out", block_size=3000, code=code, workers=1)
    done = n_done(tmp_path / "out")
    assert done
    annotate(source, str(model), tmp_path / "out", block_size=3000, workers=1)
    assert n_done(tmp_path / "out") > done
    # Ray may have ended the worker while it wrote another block.
    assert not [*(tmp_path / "out").glob(".*")]
    assert_predicted(rows_of(tmp_path / "out"), model, TEXTS)


DIES = """import signal
    from spacy_rnn.scale.annotator import Annotator
    annotate = Annotator.annotate
    def die(self, texts):
        if {condition}:
            os.kill(os.getpid(), signal.SIGKILL)
        return annotate(self, texts)
    Annotator.annotate = die"""


def test_a_worker_that_dies_is_replaced(cluster, model, source, tmp_path):
    once = f"not os.path.exists('{tmp_path}/died') and not open('{tmp_path}/died', 'x').close()"
    code = in_workers(tmp_path, DIES.format(condition=once))
    annotate(source, str(model), tmp_path / "out", block_size=3000, code=code, workers=1)
    assert (tmp_path / "died").exists()
    assert_predicted(rows_of(tmp_path / "out"), model, TEXTS)


def test_a_driver_that_is_killed(cluster, model, source, tmp_path):
    command = [sys.executable, "-m", "spacy", "rnn", "apply-ray", model, source, tmp_path / "out"]
    command += ["--block-mb", "0.001"]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    first = subprocess.Popen([*map(str, command)], env=environment, start_new_session=True)
    wait_for(lambda: n_done(tmp_path / "out") > 3)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    job = {"output": tmp_path / "out", "block_size": int(0.001 * 2**20)}
    found = annotate(source, str(model), **job)
    assert found.rows == len(TEXTS)
    assert_predicted(rows_of(tmp_path / "out"), model, TEXTS)


def test_a_node_that_is_killed(cluster, model, source, tmp_path):
    def kill():
        wait_for(lambda: n_done(tmp_path / "out") > 3)
        cluster.remove_node([*cluster.worker_nodes][0], allow_graceful=False)

    thread = threading.Thread(target=kill)
    thread.start()
    found = annotate(source, str(model), tmp_path / "out", block_size=1000)
    thread.join()
    assert len(cluster.worker_nodes) == 0 and found.rows == len(TEXTS)
    assert_predicted(rows_of(tmp_path / "out"), model, TEXTS)
