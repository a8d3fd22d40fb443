"""The parent's end of a worker: start it, ask it, and stop it when it takes too long.

Nothing here imports torch before the first reply is awaited, so that parent and worker load it at
the same time.
"""

import contextlib
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from mechcourse.grading.masking import write_package

START_LIMIT = 120.0  # seconds for Python and PyTorch to load, on a busy machine

# Puts a sandbox around the worker: gets its command line, the folder it may only read and the one
# it may write into, and gives the command line to run instead.
Enclosure = Callable[[list[str], Path, Path], list[str]]


@dataclass(frozen=True)
class Limits:
    """Seconds of wall-clock time that a learner's code may take.

    Attributes:
        cell: for one cell; nbgrader's own limit is the same.
        exercise: for all calls of one exercise together.
    """

    cell: float = 30.0
    exercise: float = 30.0


class WorkerProblem(Exception):
    """No worker starts on this machine: the text says why."""


class WorkerDied(Exception):
    """The worker ended, or sent what is no reply; the text says how."""


class WorkerTimeout(Exception):
    """The worker was stopped because no reply came in time."""


def unenclosed(command: list[str], _shared: Path, _scratch: Path) -> list[str]:
    """No sandbox: the learner's code runs with the rights of whoever grades."""
    return command


class Worker:
    """One worker process with its own copy of the package and its own empty working folder."""

    def __init__(self, teaches: tuple[str, ...] = (), enclose: Enclosure = unenclosed) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mechcourse-"))
        self._number = 0
        self._started = False
        try:
            self._process = self._start(teaches, enclose)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, teaches: tuple[str, ...], enclose: Enclosure) -> subprocess.Popen[bytes]:
        shared, scratch = self._folder / "shared", self._folder / "scratch"
        scratch.mkdir()
        write_package(shared, teaches)
        script = shared / "mechcourse" / "grading" / "worker.py"
        # -I, -S: no environment variables, working directory, user site or .pth files on the path.
        command = [sys.executable, "-I", "-S", "-B", "-u", "-X", "utf8", str(script)]
        self._errors = (self._folder / "errors.txt").open("w+b")
        return subprocess.Popen(
            enclose([*command, *site_packages()], shared, scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            cwd=scratch,
            env=clean_environment(scratch),
            start_new_session=True,
        )

    def ask(self, request: dict[str, Any], limit: float) -> dict[str, Any]:
        """Send a request and return its reply.

        Raises:
            CodecError: the request holds what can't cross.
            WorkerProblem: the worker does not start.
            WorkerTimeout: no reply within `limit` seconds; the worker is gone.
            WorkerDied: no reply at all; the worker is gone.
        """
        from mechcourse.grading.codec import encode

        self.wait_until_ready()
        self._number += 1
        frame = encode(request | {"number": self._number})
        reply = self._exchange(frame, limit)
        if type(reply) is not dict or reply.get("number") != self._number:
            self.close()
            raise WorkerDied("it sent something that is no reply")
        return reply

    def wait_until_ready(self) -> None:
        """Wait until the worker can take requests.

        Raises:
            WorkerProblem: it does not start; that is no learner's fault.
        """
        if self._started:
            return
        try:
            self._exchange(b"", START_LIMIT)
        except (WorkerDied, WorkerTimeout) as error:
            message = (self._errors_text or str(error)).strip()[-1000:]
            raise WorkerProblem(f"the grading worker does not start: {message}") from error
        self._started = True

    def _exchange(self, frame: bytes, limit: float) -> Any:
        # In a thread of its own: a worker that hangs blocks writing as well as reading.
        replies: SimpleQueue[Any] = SimpleQueue()
        process = self._process

        def talk() -> None:
            from mechcourse.grading.codec import receive

            try:
                view = memoryview(frame)
                while view:
                    view = view[process.stdin.write(view) :]
                replies.put(receive(process.stdout.read))
            except BaseException as error:  # handed to the waiting thread
                replies.put(error)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        try:
            reply = replies.get(timeout=max(limit, 0.001))
        except Empty:
            self.close(thread)
            raise WorkerTimeout from None
        except BaseException:  # Ctrl-C must leave no process behind
            self.close(thread)
            raise
        if isinstance(reply, BaseException):
            how = self._ending()
            self.close(thread)
            raise WorkerDied(how) from reply
        return reply

    def _ending(self) -> str:
        """How the process ended, in words."""
        deadline = monotonic() + 1
        while self._process.poll() is None and monotonic() < deadline:
            threading.Event().wait(0.01)
        code = self._process.poll()
        if code is None:
            return "it sent something that is no reply"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"the process was killed by {signal.Signals(-code).name}"
        return f"the process ended with exit status {code}"

    def close(self, thread: threading.Thread | None = None) -> None:
        """End the process and whatever it started in its own session, and remove its folder."""
        if self._errors.closed:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        if thread:
            thread.join(timeout=2)
        # The thread may still wait, on a pipe that some child outside the session holds open: these
        # are raw files, which can be closed under it.
        self._process.stdin.close()
        self._process.stdout.close()
        self._errors.seek(0)
        self._errors_text = self._errors.read(10_000).decode(errors="replace")
        self._errors.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def closed(self) -> bool:
        """Whether this worker is gone."""
        return self._errors.closed


def site_packages() -> list[str]:
    """The folders of installed packages that are on our own path."""
    known = {*site.getsitepackages(), site.getusersitepackages()}
    return [folder for folder in sys.path if folder in known]


def clean_environment(scratch: Path) -> dict[str, str]:
    """The worker's whole environment: nothing of ours but what Windows can't start without."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return kept | {
        "PATH": os.defpath,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",  # every learner is graded on the same device
        "MPLBACKEND": "Agg",
        "NBGRADER_EXECUTION": "autograde",  # models are loaded, not trained
    }
