"""Run one learner's notebook in a worker and judge its exercises here, in the parent."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import Any, NoReturn, Self

from mechcourse.boundary import NotPlain
from mechcourse.checks import CheckResult, evaluate
from mechcourse.checks._result import AnswerRaised, Status
from mechcourse.grading.notebooks import Cell, CourseProblem, Script
from mechcourse.grading.process import Limits, Worker, WorkerDied, WorkerTimeout
from mechcourse.grading.results import Outcome

SETUP_LIMIT = 120.0  # seconds for a set-up cell, which is the course's own
TEXT_LIMIT = 600  # characters of a learner's own text that a report repeats


class Run:
    """One learner's notebook from its first cell to its last check, in nbgrader's order.

    A check sees the notebook as it stands where the check is. When the worker hangs or dies it is
    replaced, and the cells so far are run again, but for the one that did it.
    """

    def __init__(
        self, script: Script, teaches: tuple[str, ...], worker: Worker, limits: Limits
    ) -> None:
        self.script, self.teaches, self.limits = script, teaches, limits
        self.failures: dict[str, Failure] = {}  # by cell
        self._worker = worker
        self._done: list[Cell] = []
        self._used: dict[str, float] = {}  # seconds, by exercise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._worker.close()

    def judge(self, checks: str, seed: int = 0) -> dict[str, Outcome]:
        """Run everything; returns what each check cell is given.

        Args:
            checks: the module that holds the check functions.

        Raises:
            CourseProblem: the module or one of the functions is missing.
            WorkerProblem: no worker starts on this machine.
        """
        outcomes = {}
        for cell in self.script.cells:
            self._revive()
            if cell.kind == "check":
                result = self._check(cell, _check_function(checks, cell.name), seed)
                outcomes[cell.name] = self._outcome(cell, result)
            else:
                self._run_cell(cell)
        return outcomes

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], limit: float) -> Any:
        """Call a function of the learner's in the worker.

        Raises:
            AnswerRaised: it failed there, does not exist, or took longer than `limit` seconds.
            NotPlain: what it returned can't cross.
        """
        request = {"do": "call", "name": name, "args": args, "kwargs": kwargs}
        try:
            reply = self._worker.ask(request, limit)
        except WorkerTimeout:
            _raise(_too_slow(self.limits.exercise))
        except WorkerDied as death:
            _raise(Failure("Crash", str(death)))
        print(clean(reply.get("printed")), end="")  # what the caller captures as the answer's own
        if "value" in reply or "nothing" in reply:
            return reply.get("value")
        if "unusable" in reply:
            raise NotPlain(clean(reply["unusable"]))
        if reply.get("undefined"):
            _raise(self._undefined(name))
        _raise(Failure.told(reply.get("raised")))

    def _check(self, cell: Cell, check: Callable[..., None], seed: int) -> CheckResult:
        start = monotonic()

        def proxy(*args: Any, **kwargs: Any) -> Any:
            # Only the learner's own time counts: a check that a busy machine slows is not theirs.
            left = self.limits.exercise - self._used.get(cell.exercise, 0)
            if left <= 0:
                _raise(_too_slow(self.limits.exercise))
            begin = monotonic()
            try:
                return self.call(cell.exercise, args, kwargs, left)
            finally:
                used = self._used.get(cell.exercise, 0) + monotonic() - begin
                self._used[cell.exercise] = used

        try:
            return evaluate(check, proxy, seed=seed)
        except Exception as error:  # an answer's value that the check did not think of
            return CheckResult(
                cell.exercise,
                "error",
                property="returns what its docstring says",
                got=f"something that the check could not judge ({type(error).__name__}: "
                f"{clean(str(error))})",
                seconds=monotonic() - start,
            )

    def _outcome(self, cell: Cell, result: CheckResult) -> Outcome:
        correct = result.status == "correct"
        message = [result.message, self.script.notes.get(cell.exercise, "")]
        for ours in self.script.cells:
            failure = self.failures.get(ours.name)
            if not correct and ours.kind == "setup" and failure:
                message.append(f"The course's own cell {ours.name} failed: {failure}.")
        points = cell.points if correct else 0.0
        return Outcome(points, result.status, " ".join(filter(None, message)), result.seconds)

    def _run_cell(self, cell: Cell) -> None:
        """Run a cell and remember how it failed, if it did."""
        limit = SETUP_LIMIT if cell.kind == "setup" else self.limits.cell
        request = {"do": "cell", "name": cell.name, "source": cell.source}
        try:
            reply = self._worker.ask(request, limit)
        except WorkerTimeout:
            self.failures[cell.name] = _too_slow(limit)
        except WorkerDied as death:
            self.failures[cell.name] = Failure("Crash", str(death))
        else:
            self._done.append(cell)
            if "raised" in reply:
                self.failures[cell.name] = Failure.told(reply["raised"])

    def _revive(self) -> None:
        """See that there is a worker, and that it has run the cells so far."""
        while self._worker.closed:
            again, self._done = self._done, []
            self._worker = Worker(self.teaches)
            for number, cell in enumerate(again):
                self._run_cell(cell)
                if self._worker.closed:  # it went well before; from now on it is left out
                    self._done += again[number + 1 :]
                    break

    def _undefined(self, name: str) -> "Failure":
        if name in self.failures:
            return self.failures[name]
        if name in self.script.missing:
            return Failure("Missing", f"the notebook has no cell called {name}")
        source = next((c.source for c in self.script.cells if c.name == name), "")
        if _holds_nothing(source):
            return Failure("NotImplementedError", f"Its cell is empty: define {name} there.")
        return Failure("Missing", f"the cell {name} defines no {name}")


@dataclass(frozen=True)
class Failure:
    """Why a cell or a call gave nothing: the exception's kind, text and place."""

    kind: str
    text: str
    where: str = ""
    status: Status = "error"

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"

    @classmethod
    def told(cls, raised: Any) -> "Failure":
        """A failure as the worker describes it, which may be anything."""
        parts = raised if type(raised) is tuple and len(raised) == 3 else ("Crash", "no reply", "")
        return cls(*map(clean, parts))


def _holds_nothing(source: str) -> bool:
    try:
        return not ast.parse(source).body
    except (SyntaxError, ValueError):
        return False


def clean(text: Any) -> str:
    """Text from a learner's process, made fit to be shown: printable, and not too long."""
    if type(text) is not str:
        return ""
    return "".join(c if c.isprintable() else " " for c in text[-TEXT_LIMIT:])


def _too_slow(limit: float) -> Failure:
    return Failure("Timeout", f"it had not finished after {limit:g} seconds", status="timeout")


def _raise(failure: Failure) -> NoReturn:
    raise AnswerRaised(failure.kind, failure.text, failure.where, failure.status)


def _check_function(module: str, name: str) -> Callable[..., None]:
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CourseProblem(f"there is no check {name} in {module} ({error})") from error
