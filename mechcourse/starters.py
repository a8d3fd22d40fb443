"""Tell a starter from an answer, so that a picture of the learner's result can wait for it."""

import dis
from collections.abc import Callable
from typing import Any

# What `raise NotImplementedError` compiles to, on every supported Python.
_STARTER_STEPS = {"RESUME", "NOP", "LOAD_GLOBAL", "LOAD_COMMON_CONSTANT", "RAISE_VARARGS"}


def written(*functions: Callable[..., Any]) -> bool:
    """Whether none of the functions is a starter still; if one is, say what the cell waits for.

    A starter's whole body is `raise NotImplementedError`.
    """
    missing = [function.__name__ for function in functions if is_starter(function)]
    if missing:
        print(f"This cell waits for {' and '.join(missing)}: write it above, then run this again.")
    return not missing


def is_starter(function: Callable[..., Any]) -> bool:
    """Whether a function does nothing but raise `NotImplementedError`."""
    code = getattr(function, "__code__", None)
    if code is None:  # a class or a built-in, given in place of a function
        return False
    steps = {step.opname for step in dis.get_instructions(code)}
    return steps <= _STARTER_STEPS and "NotImplementedError" in str(
        [step.argval for step in dis.get_instructions(code)]
    )
