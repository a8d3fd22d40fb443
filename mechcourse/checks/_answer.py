"""Call a learner's answer, here or through a proxy, and hold properties of what comes back."""

import inspect
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import wraps
from importlib import import_module
from time import perf_counter
from typing import Any, NoReturn

import torch

from mechcourse import progress
from mechcourse.boundary import NotPlain, TaughtHere, called, described
from mechcourse.checks._compare import Comparisons
from mechcourse.checks._result import AnswerRaised, CheckFailed, CheckResult, NotAttempted

UNUSABLE = {
    "None": "something in it is None, or a `return` is missing.",
    "an object of type set": "a Python set has no order and holds nothing twice; return a list.",
    "an object of type generator": "this is a generator, not what it yields; make a list of it.",
}
PRINTED_LIMIT = 400  # characters of the learner's own output that a message repeats


class Answer(Comparisons):
    """The learner's function as a check sees it.

    Calling it runs the learner's code on copies of the arguments, with its output and warnings
    captured, and returns plain data: tensors, numbers, strings, and lists, tuples and dicts of
    them. Whatever goes wrong there ends the check with a finding.
    """

    def __init__(
        self, function: Callable[..., Any], exercise: str, taught: tuple[str, ...]
    ) -> None:
        super().__init__(exercise)
        self.function, self.taught = function, taught
        self._output = io.StringIO()

    @property
    def printed(self) -> str:
        """The end of what the learner's code printed, on one line."""
        return " ".join(self._output.getvalue()[-PRINTED_LIMIT:].split())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self.or_none(*args, **kwargs)
        if value is None:
            self._refuse("None")
        return value

    def or_none(self, *args: Any, **kwargs: Any) -> Any:
        """The same for a function that may rightly return None."""
        try:
            with _quiet(self._output), without_taught(self.taught):
                return called(self.function, args, kwargs)
        except NotPlain as unusable:
            self._refuse(str(unusable))
        except AnswerRaised as raised:
            self._report(raised, _inputs(args, kwargs))
        except (Exception, SystemExit) as error:
            self._report(raised_in(error, self.exercise), _inputs(args, kwargs))

    def expect_error(
        self, kind: str, /, *args: Any, property: str, misconception: str, **kwargs: Any
    ) -> None:
        """Hold that the answer raises an exception of a kind, "ValueError", for these arguments."""
        try:
            self(*args, **kwargs)
        except CheckFailed as finding:
            if finding.result.status == "timeout":
                raise
            got, raised = finding.result.got, finding.result.status == "error"
        except NotAttempted:
            if not self.held:  # nothing is written yet; else it is the answer's own error
                raise
            got, raised = "a NotImplementedError", False
        else:
            got, raised = "an answer and no error", False
        self.expect(
            raised and got.replace(",", ":").split(":")[0] == kind,
            property=property,
            misconception=misconception,
            expected=f"a {kind}",
            got=got,
        )

    def _refuse(self, unusable: str) -> NoReturn:
        self.fail(
            property="returns what its docstring says",
            misconception=UNUSABLE.get(unusable, ""),
            got=unusable,
        )

    def _report(self, raised: AnswerRaised, inputs: str) -> None:
        where = f", {raised.where}" if raised.where else ""
        if raised.kind == "NotImplementedError":
            raise NotAttempted(CheckResult(self.exercise, "not attempted", got=raised.text))
        finding = CheckResult(
            self.exercise,
            raised.status,
            property=f"it gives an answer for {inputs}",
            misconception=self.explain_error(raised),
            got=f"{raised}{where}",
        )
        raise CheckFailed(finding)

    @staticmethod
    def explain_error(raised: AnswerRaised) -> str:
        """What an error most often means, in words; empty where nothing better can be said."""
        if raised.kind == "TaughtHere":
            return "this is what the exercise asks you to write."
        if raised.kind == "ChangedInput":
            return (
                "an operation in place (+=, *=, -=, or a method that ends in an underscore) wrote "
                "into what was passed in, or a hook was left on a model. Make a new tensor "
                "instead: x = x + y; of a dict or a list, begin with a copy: dict(weights); and "
                "run_with_hooks takes its own hooks off."
            )
        if raised.kind == "KeyError":
            return "this input has no such key; ask which it has instead of assuming them."
        if raised.kind == "NameError" and "is not defined" in raised.text:
            return "a cell above was not run, or the answer uses something made in a plot's cell."
        return ""


def check(body: Callable[..., None]) -> Callable[..., None]:
    """Make `check_x(answer, *, seed=0)` of a body that takes an `Answer`.

    The made function returns None and prints what was held, or raises `CheckFailed` or
    `NotAttempted`. It also adds the finding to the learner's progress record, where there is one.
    """

    @wraps(body)
    def run(answer: Callable[..., Any], *, seed: int = 0) -> None:
        result = evaluate(run, answer, seed=seed)
        progress.record_check(result)
        if result.status == "not attempted":
            raise NotAttempted(result)
        if result.status != "correct":
            raise CheckFailed(result)
        print(result.message)

    run.__signature__ = inspect.Signature(  # wraps would show the body's
        [
            inspect.Parameter("answer", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, default=0),
        ]
    )
    return run


def evaluate(
    check_function: Callable[..., None], answer: Callable[..., Any], *, seed: int = 0
) -> CheckResult:
    """Run a check and return its finding, without printing, recording or raising."""
    body = check_function.__wrapped__
    exercise, _, part = body.__name__.removeprefix("check_").partition("__")
    trial = Answer(answer, exercise, _taught_with(body))
    start = perf_counter()
    try:
        body(trial, seed=seed)
        result = CheckResult(exercise, "correct")
        if not trial.held:
            raise RuntimeError(f"{body.__name__} held nothing, so it can't pass anything")
    except (CheckFailed, NotAttempted) as finding:
        result = finding.result
    return result.finished(
        held=tuple(trial.held),
        printed=trial.printed,
        seconds=perf_counter() - start,
        part=part,
        parts=_n_parts(body, exercise),
    )


def _n_parts(body: Callable[..., None], exercise: str) -> int:
    """How many checks of a module belong to an exercise: `check_x`, or `check_x__a` and more."""
    names = vars(sys.modules[body.__module__])
    return sum(name.split("__")[0] == f"check_{exercise}" for name in names) or 1


def _inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What an answer was called with, in few words: "inputs of shape [2, 5, 7], [9, 7]"."""
    tensors = [str(list(arg.shape)) for arg in args if isinstance(arg, torch.Tensor)]
    others = [repr(arg) for arg in args if isinstance(arg, int | float | str)]
    others += [f"a dict of {len(arg)} tensors" for arg in args if isinstance(arg, dict)]
    named = [
        f"{name}={value!r}" for name, value in kwargs.items() if type(value) in (int, float, str)
    ]
    said = [f"inputs of shape {', '.join(tensors)}"] * bool(tensors) + others + named
    return ", ".join(said) or "what it was called with"


def _taught_with(body: Callable[..., None]) -> tuple[str, ...]:
    # By the module's name: a decorator around the body, as in tests, would have other globals.
    return getattr(sys.modules[body.__module__], "TEACHES", ())


def raised_in(error: BaseException, exercise: str) -> AnswerRaised:
    """Describe an exception from a learner's code, with the line that raised it."""
    return AnswerRaised(*described(error, exercise))


@contextmanager
def without_taught(names: tuple[str, ...]) -> Iterator[None]:
    """Take the library's functions that a notebook teaches away while the learner's code runs."""
    kept = []
    for dotted in names:
        owner, attribute = _owner(dotted)
        kept.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, _refusal(dotted))
    try:
        yield
    finally:
        for owner, attribute, value in kept:
            setattr(owner, attribute, value)


def _refusal(dotted: str) -> Callable[..., None]:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise TaughtHere(dotted)

    return refuse


def _owner(dotted: str) -> tuple[Any, str]:
    """The module or class that holds a dotted name, and the name's last part."""
    parts = dotted.split(".")
    for size in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for part in parts[size:-1]:
            owner = getattr(owner, part)
        return owner, parts[-1]
    raise ModuleNotFoundError(f"no module holds {dotted}")


@contextmanager
def _quiet(output: io.StringIO) -> Iterator[None]:
    # nbgrader gives a test cell that wrote to stderr zero marks, whatever the answer's worth.
    with warnings.catch_warnings(), redirect_stdout(output), redirect_stderr(output):
        warnings.simplefilter("ignore")
        state = torch.random.get_rng_state()
        try:
            yield
        finally:
            torch.random.set_rng_state(
                state
            )  # a seed set inside must not reach the learner's cells
