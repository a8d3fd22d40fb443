"""The process that runs a learner's cells and calls their functions; started as a script.

It judges nothing. It reads requests from its standard input and writes one reply to each on what
was its standard output when it started. Learner code gets other streams, so that a `print` can't
be mistaken for a reply. The parent takes every reply for hostile; see `codec`.

Usage: python -I -S worker.py SITE_PACKAGES...
"""

import linecache
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

# -I and -S keep everything else off the path: the working directory, the user's own site, and the
# .pth files through which an editable install would bring in the real package.
if __name__ == "__main__":
    _own = os.path.realpath(__file__)
    sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.dirname(_own)))]  # noqa: PTH120
    sys.path += sys.argv[1:]

import contextlib
import io
import types
import warnings

import torch

from mechcourse.boundary import NotPlain, called, described
from mechcourse.grading.codec import CodecError, encode, receive

OUTPUT_LIMIT = 2000  # characters kept of what one request printed: the last ones
MEMORY_LIMIT = 4 * 2**30  # bytes of address space beyond what PyTorch takes
FILE_LIMIT = 100 * 2**20  # bytes of any one file


class Output(io.TextIOBase):
    """A text stream that keeps only the end of what is written."""

    def __init__(self) -> None:
        self.kept = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.kept = (self.kept + text[-OUTPUT_LIMIT:])[-OUTPUT_LIMIT:]
        return len(text)


class Notebook:
    """The learner's namespace, and what can be asked of it."""

    def __init__(self) -> None:
        main = types.ModuleType("__main__")
        main.__dict__["display"] = lambda *_args, **_kwargs: None
        sys.modules["__main__"] = main  # dataclasses and annotations look themselves up there
        self.names = main.__dict__

    def run_cell(self, label: str, source: str) -> None:
        """Run one cell. What it defines before it fails stays defined, as in a notebook."""
        filename = f"<cell {label}>"
        try:
            code = compile(source, filename, "exec", dont_inherit=True)
        except SyntaxError:
            # Lines of IPython's own (%timeit, !ls) are no Python, and nothing graded needs them.
            source = re.sub(r"(?m)^(\s*)([%!?].*|[\w.]+\?\??)$", r"\1pass", source)
            code = compile(source, filename, "exec", dont_inherit=True)
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        exec(code, self.names)

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """What a function of the learner's returns, as plain data in a reply."""
        before = torch.random.get_rng_state()
        try:
            value = called(self.names[name], args, kwargs)
            return {"nothing": True} if value is None else {"value": value}
        finally:
            torch.random.set_rng_state(before)  # as in the notebook, a call leaves no seed behind


def answer_request(notebook: Notebook, request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, and describe how it went."""
    output = Output()
    label = request["name"]
    try:
        with _captured(output):
            if request["do"] == "cell":
                notebook.run_cell(label, request["source"])
                reply = {}
            elif label not in notebook.names:
                reply = {"undefined": True}
            else:
                reply = notebook.call(label, request["args"], request["kwargs"])
    except NotPlain as unusable:
        reply = {"unusable": str(unusable)}
    except BaseException as error:  # exit() and an interrupt are only a failed cell here
        reply = {"raised": _told(error, label)}
    return reply | {"printed": output.kept}


def _told(error: BaseException, label: str) -> tuple[str, str, str]:
    if isinstance(error, SyntaxError) and error.filename == f"<cell {label}>":
        line = (error.text or "").strip()
        return type(error).__name__, str(error.msg), f"in line {error.lineno} of {label}: {line}"
    kind, text, where = described(error, label)
    return kind, text, where.replace(" of <module>: ", f" of the cell {label}: ", 1)


@contextlib.contextmanager
def _captured(output: Output) -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        warnings.simplefilter("ignore")
        yield


def serve(read: Callable[[int], bytes], write: Callable[[bytes], Any]) -> None:
    """Answer requests until the parent closes the stream."""
    me = os.getpid()
    notebook = Notebook()
    write(encode({"ready": True}))
    while True:
        try:
            request = receive(read)
        except EOFError:
            return
        reply = answer_request(notebook, request) | {"number": request["number"]}
        if os.getpid() != me:  # a learner's fork: only the first process may speak
            os._exit(0)
        try:
            frame = encode(reply)
        except CodecError as error:
            unusable = {"unusable": str(error), "printed": reply["printed"]}
            frame = encode(unusable | {"number": request["number"]})
        write(frame)


def _limit_resources() -> None:
    """Limit memory and files, and die with the parent; what the system can't do is left out."""
    with contextlib.suppress(Exception):
        import resource

        with open("/proc/self/statm") as file:  # noqa: PTH123
            taken = int(file.read().split()[0]) * resource.getpagesize()
        for limit, size in (
            (resource.RLIMIT_AS, taken + MEMORY_LIMIT),
            (resource.RLIMIT_FSIZE, FILE_LIMIT),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(limit, (size, size))
    with contextlib.suppress(Exception):
        import ctypes
        import signal

        die_with_parent = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(die_with_parent, signal.SIGKILL)


def main() -> None:
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    torch.set_num_threads(1)
    _limit_resources()
    for stream in (0, 1, 2):  # input() ends at once, and no output fills anything
        os.dup2(nothing, stream)

    def write(frame: bytes) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(replies, view) :]

    serve(lambda count: os.read(requests, count), write)


if __name__ == "__main__":
    main()
