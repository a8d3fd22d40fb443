"""Tell a starter from an answer, so that a picture of the learner's result can wait for it.

And fetch an answer from an earlier notebook, so that what was built there can be used again.
"""

import dis
import io
import json
import linecache
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mechcourse.progress import refused_here

# What `raise NotImplementedError` compiles to, on every supported Python.
_STARTER_STEPS = {"RESUME", "NOP", "LOAD_GLOBAL", "LOAD_COMMON_CONSTANT", "RAISE_VARARGS"}


def written(*functions: Callable[..., Any]) -> bool:
    """Whether these answers are there and none has been refused; if not, say what is waited for.

    A starter's whole body is `raise NotImplementedError`. An answer that its check has refused
    would draw a picture that looks right and is not, or give away a prediction's answer wrongly.
    One whose check was not run in this kernel counts as it stands.
    """
    missing = [function.__name__ for function in functions if is_starter(function)]
    if missing:
        print(f"This cell waits for {' and '.join(missing)}: write it above, then run this again.")
        return False
    refused = [f.__name__ for f in functions if refused_here(getattr(f, "__name__", ""))]
    if refused:
        print(
            f"This cell waits until {' and '.join(refused)} is right: what it shows would be "
            "wrong as well. Run the check above, then this again."
        )
    return not refused


def is_starter(function: Callable[..., Any]) -> bool:
    """Whether a function does nothing but raise `NotImplementedError`."""
    code = getattr(function, "__code__", None)
    if code is None:  # a class or a built-in, given in place of a function
        return False
    steps = {step.opname for step in dis.get_instructions(code)}
    return steps <= _STARTER_STEPS and "NotImplementedError" in str(
        [step.argval for step in dis.get_instructions(code)]
    )


class _NoAnswer(Exception):
    """There is no answer to take; the text says why."""


def answer_of(notebook: str, exercise: str) -> Callable[..., Any] | None:
    """The learner's own answer to an exercise of another notebook of this chapter.

    The notebook's set-up cells and its answer cells, up to and with this one, are run again as they
    were last saved, in a namespace of their own. Where that gives no answer, one line says why and
    None comes back.

    Args:
        notebook: its name in the working directory, "2_find_them".
        exercise: the answer cell's `grade_id`, which is also the function's name.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for cell, source in _up_to(notebook, exercise):
            _run(f"<{notebook}: {cell}>", source, names)
        function = names.get(exercise)
        if not callable(function):
            raise _NoAnswer(f"The cell {exercise} of {notebook}.ipynb defines no such function.")
        if is_starter(function):
            raise _NoAnswer(f"{exercise} is still to be written, in {notebook}.ipynb.")
    except _NoAnswer as why:
        print(why)
        return None
    return function


def _up_to(notebook: str, exercise: str) -> list[tuple[str, str]]:
    """Name and source of a notebook's set-up and answer cells, up to and with an answer."""
    runs = []
    try:
        cells = json.loads(Path(f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
        for cell in (cell for cell in cells if cell["cell_type"] == "code"):
            marks, tags = (cell["metadata"].get(key, {}) for key in ("nbgrader", "tags"))
            answers = marks.get("solution", False)
            if answers or "setup" in tags:
                name = marks.get("grade_id") or cell.get("id", "setup")
                runs.append((name, "".join(cell["source"])))
                if answers and name == exercise:
                    return runs
    except OSError:
        raise _NoAnswer(f"{notebook}.ipynb can't be read here: no {exercise} to take.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _NoAnswer(f"{notebook}.ipynb is no notebook that can be read.") from None
    raise _NoAnswer(f"{notebook}.ipynb has no answer cell called {exercise}.")


def _run(filename: str, source: str, names: dict[str, Any]) -> None:
    """Run a cell; what it prints was read in its own notebook."""
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    try:
        with redirect_stdout(io.StringIO()):
            exec(compile(source, filename, "exec", dont_inherit=True), names)
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise _NoAnswer(f"The cell {filename} raised {said}") from None
