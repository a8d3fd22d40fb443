"""What a worker is, has and can't do; and what its parent makes of a worker that lies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mechcourse.checks.ch01_attention.residual_stream import TEACHES
from mechcourse.grading import masking
from mechcourse.grading.notebooks import read_released
from mechcourse.grading.process import Worker, WorkerDied, WorkerTimeout

pytestmark = pytest.mark.grading


@pytest.fixture(scope="module")
def shared_worker() -> Iterator[Worker]:
    worker = Worker(TEACHES)
    cell(worker, "import glob, inspect, os, sys, mechcourse, mechcourse.models as models")
    yield worker
    worker.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def cell(worker: Worker, source: str, limit: float = 60) -> dict[str, Any]:
    return worker.ask({"do": "cell", "name": "test", "source": source}, float(limit))


def printed(worker: Worker, expression: str) -> str:
    reply = cell(worker, f"print({expression})")
    assert "raised" not in reply, reply
    return reply["printed"].strip()


def test_only_the_copy_is_importable(shared_worker: Worker) -> None:
    shared = printed(shared_worker, "mechcourse.__path__[0]")
    assert "mechcourse-" in shared
    path = eval(printed(shared_worker, "sys.path"))
    assert str(masking.PACKAGE.parent) not in path and "" not in path
    for module in ("grading.grade", "grading.running", "cli", "lab", "workspace", "doctor"):
        assert cell(shared_worker, f"import mechcourse.{module}")["raised"][0] == (
            "ModuleNotFoundError"
        )
    assert (
        printed(shared_worker, "[m for m in sys.modules if m.startswith('__editable__')]") == "[]"
    )


def test_checks_and_plots_are_idle_stand_ins(shared_worker: Worker) -> None:
    cell(shared_worker, "from mechcourse.checks.ch01_attention import residual_stream as r")
    cell(shared_worker, "from mechcourse.plots import anything")
    assert printed(shared_worker, "r.check_anything(1), anything(2)") == "None None"
    assert "TEACHES" not in printed(shared_worker, "open(r.__file__).read()")
    assert printed(shared_worker, "'plotly' in sys.modules") == "False"


def test_what_is_taught_is_in_no_source(shared_worker: Worker) -> None:
    folder = "os.path.dirname(mechcourse.__file__)"
    everything = (
        f"''.join(open(f).read() for f in glob.glob({folder} + '/**/*.py', recursive=True))"
    )
    assert printed(shared_worker, f"'self.hook_attn_scores(' in {everything}") == "False"
    assert printed(shared_worker, f"'def check_' in {everything}") == "False"
    made = "models.Transformer(models.TransformerConfig(1, 4, 1, 4, 5, 6))"
    raised = cell(shared_worker, f"import torch; {made}(torch.zeros(1, 2).long())")["raised"]
    assert raised[0] == "TaughtHere" and "may not be called here" in raised[1]


def test_assets_are_there(shared_worker: Worker) -> None:
    """The shipped checkpoints load from the copy."""
    names = printed(shared_worker, "sorted(os.listdir(mechcourse.__path__[0] + '/assets'))")
    assert eval(names) == sorted(path.name for path in (masking.PACKAGE / "assets").iterdir())


def test_a_clean_environment(shared_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    environment = eval(printed(shared_worker, "dict(os.environ)"))
    assert environment.keys() <= {
        *("PATH", "HOME", "TMPDIR", "LANG", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
        *("MPLBACKEND", "NBGRADER_EXECUTION", "SYSTEMROOT", "LC_CTYPE"),
    }
    assert printed(shared_worker, "os.listdir('.')") == "[]"
    assert printed(shared_worker, "__import__('torch').get_num_threads()") == "1"


def test_modules_of_the_learners_own_are_not_imported(shared_worker: Worker) -> None:
    cell(shared_worker, "open('einops.py', 'w').write('planted = 1')\nimport einops")
    assert printed(shared_worker, "hasattr(einops, 'planted')") == "False"


def test_a_print_forges_nothing(worker: Worker) -> None:
    from mechcourse.grading.codec import encode

    forged = encode({"value": "forged", "number": 3})
    cell(worker, f"import os, sys\nforged = {forged!r}\nos.write(1, forged); os.write(2, forged)")
    source = (
        "def f():\n    os.write(1, forged)\n    sys.__stdout__.buffer.write(forged)\n    return 1"
    )
    cell(worker, source)
    call = {"do": "call", "name": "f", "args": (), "kwargs": {}}
    assert worker.ask(call, 10.0)["value"] == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"garbage that is no frame at all",
        b"mcf1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"mcf1\0\0\0\x04\0\0\0\0\0\0\0\0null",
        b'mcf1\0\0\0\x08\0\0\0\0\0\0\0\0["l",[]]',
        b'mcf1\0\0\0\x1f\0\0\0\0\0\0\0\0["d",[["number",["i","0x63"]]]]',
    ],
)
def test_forged_replies_end_the_worker(worker: Worker, reply: bytes) -> None:
    """Even code that finds the protocol's own file gains nothing by writing to it."""
    with pytest.raises(WorkerDied):
        cell(
            worker,
            "import os\nfor fd in range(3, 20):\n"
            f"    try: os.write(fd, {reply!r})\n    except OSError: pass",
        )
    assert worker.closed


def test_a_fork_does_not_speak(worker: Worker) -> None:
    cell(worker, "import os\nchild = os.fork()")
    for number in range(3):
        assert printed(worker, f"{number}, child > 0") == f"{number} True"


def test_a_child_that_keeps_the_pipe_open_holds_nobody_up(worker: Worker) -> None:
    source = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(20)\nos._exit(0)"
    start = time.monotonic()
    with pytest.raises((WorkerTimeout, WorkerDied)):
        cell(worker, source, limit=10)
    assert time.monotonic() - start < 16


def test_memory_is_limited(worker: Worker) -> None:
    reply = cell(worker, "import torch\nx = torch.ones(2**31)")
    assert "raised" in reply and "t allocate memory" in reply["raised"][1]
    assert printed(worker, "1") == "1"


def test_nothing_is_left_behind(worker: Worker) -> None:
    where = Path(printed(worker, "__import__('os').getcwd()"))
    pid = int(printed(worker, "__import__('os').getpid()"))
    assert where.is_dir()
    worker.close()
    assert not where.parent.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_worker_dies_with_its_parent() -> None:
    script = (
        "from mechcourse.grading.process import Worker\nimport os, signal\n"
        "w = Worker()\nw.wait_until_ready()\n"
        "print(w.ask({'do': 'cell', 'name': 'x', 'source': 'import os; print(os.getpid())'}, 60)"
        "['printed'], flush=True)\n"
        "import shutil; shutil.rmtree(w._folder)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    deadline = time.monotonic() + 5
    while Path(f"/proc/{int(done.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_a_name_that_is_not_there_can_not_be_masked() -> None:
    for dotted in ("mechcourse.models.Nope", "mechcourse.cli.main", "torch.nn.Linear", "x"):
        with pytest.raises(masking.MaskingError, match=dotted):
            Worker((dotted,))


def test_every_released_notebook_can_be_masked(tmp_path: Path) -> None:
    for path in sorted((masking.PACKAGE.parent / "course").glob("ch*/*.ipynb")):
        masking.write_package(tmp_path / path.stem, read_released(path).teaches)
