"""Tell a starter from an answer, so that a picture of the learner's result can wait for it."""

import dis
from collections.abc import Callable
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
