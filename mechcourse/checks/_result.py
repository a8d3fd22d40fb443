"""What a check found, and the exceptions that carry it into a notebook."""

import builtins
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

Status = Literal["correct", "wrong", "not attempted", "error", "timeout"]


@dataclass(frozen=True)
class CheckResult:
    """One check's finding; the notebook, nbgrader, the JSON report and the progress record show it.

    Attributes:
        exercise: the exercise's name, which is also the answer cell's `grade_id`.
        status: `error` where the answer raised or its process died, `timeout` where it was stopped.
        property: the property that did not hold, as a clause ("rows sum to 1").
        misconception: what is probably wrong, as whole sentences; may be empty.
        expected: the value that the property calls for; may be empty.
        got: what came back; may be empty.
        held: the properties that held, in the order of checking.
        printed: the end of what the answer printed meanwhile.
        seconds: wall-clock time of the whole check.
        part: which part of the exercise was checked, where it has parts with points of their own.
        parts: how many checks the exercise has.
    """

    exercise: str
    status: Status
    property: str = ""
    misconception: str = ""
    expected: str = ""
    got: str = ""
    held: tuple[str, ...] = ()
    printed: str = ""
    seconds: float = 0.0
    part: str = ""
    parts: int = 1

    @builtins.property  # `property` is a field here
    def message(self) -> str:
        """The finding as one plain paragraph."""
        if self.status == "correct":
            return f"{self.exercise} is correct. What was held: {'; '.join(self.held)}."
        if self.status == "not attempted":
            return " ".join(filter(None, [f"{self.exercise} is not attempted yet.", self.got]))
        parts = [f"{self.exercise} is not right yet."]
        if self.property:
            parts.append(f"What should hold: {self.property}.")
        if self.misconception:
            parts.append(f"Probably: {self.misconception}")
        if self.expected:
            parts.append(f"Expected {self.expected}.")
        if self.got:
            parts.append(f"Got {self.got}.")
        if self.printed:
            parts.append(f"Your code printed: {self.printed}")
        return " ".join(" ".join(parts).split())  # an error's own text may hold line breaks

    def finished(self, **known: Any) -> Self:
        """The same finding with what is known only at the end of the check."""
        return replace(self, **known)


class _Finding(AssertionError):
    """A finding on its way to the learner: an AssertionError that reads as one paragraph."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.message)
        self.result = result

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of a traceback: the lines of the check would only distract.
        return [str(self)]


class CheckFailed(_Finding):
    """The answer lacks a property; `result` says which, what was expected and what came back."""


class NotAttempted(_Finding):
    """The answer still raises `NotImplementedError`."""


class AnswerRaised(Exception):
    """The learner's function raised, here or in another process.

    Attributes:
        kind: the exception's class name, "ValueError".
        text: its message.
        where: the line of the learner's code it came from, "line 3 of attention_pattern: …".
        status: how the exercise is to be reported.
    """

    def __init__(self, kind: str, text: str, where: str = "", status: Status = "error") -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind, self.text, self.where, self.status = kind, text, where, status
