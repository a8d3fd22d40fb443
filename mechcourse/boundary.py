"""What passes between a learner's code and whoever judges it: plain data, and errors in words.

Both sides use it: the checks, where an answer is called directly, and the grading worker, where it
is called in a process of its own. So it holds nothing about any exercise.
"""

import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

TEXT_LIMIT = 500  # characters of an exception's own text that a message repeats
_SCALARS = (bool, int, float, complex, str)
_LIBRARIES = (str(Path(__file__).parent), sysconfig.get_paths()["stdlib"], "<frozen ")


class NotPlain(TypeError):
    """A value that can't be handed between the learner's process and the judging one."""


class TaughtHere(Exception):
    """The answer called a function of the library that the exercise asks the learner to write."""

    def __init__(self, dotted: str) -> None:
        super().__init__(f"{dotted} may not be called here: it is what this notebook teaches")


class ChangedInput(Exception):
    """The answer wrote into one of its inputs: the learner's next cell would find it changed."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place} is not what it was before the call")


def called(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a learner's function returns, as plain data; `args` and `kwargs` stay as they are.

    Raises:
        NotPlain: what came back can't cross.
        ChangedInput: it wrote into an input.
    """
    given = plain((args, kwargs))
    value = function(*given[0], **given[1])
    value = None if value is None else plain(value)
    for i, (before, after) in enumerate(zip(args, given[0], strict=True), start=1):
        if not _unchanged(before, after):
            raise ChangedInput(f"argument {i}")
    return value


def plain(value: Any) -> Any:
    """A copy made of exact built-in types, detached CPU tensors and fresh models of our own.

    NumPy arrays become tensors, NumPy scalars become Python numbers.

    Raises:
        NotPlain: anything else; the message names the type.
    """
    if value is None:
        raise NotPlain("None")
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Tensor):
        # as_subclass drops the learner's subclass, and with it any comparison it redefines.
        dense = value if value.layout == torch.strided else value.to_dense()
        return dense.detach().as_subclass(Tensor).cpu().resolve_conj().resolve_neg().clone()
    if isinstance(value, np.generic) and type(value.item()) in _SCALARS:
        return value.item()
    if type(value) is np.ndarray and value.dtype.kind in "biufc":
        return torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="C"))
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):  # named ones too
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if is_own_model(value):
        return _fresh(value)
    raise NotPlain(f"an object of type {type(value).__name__}")


def _unchanged(before: Any, after: Any) -> bool:
    """Whether an argument still holds what it held; what can't be compared counts as unchanged."""
    if isinstance(before, Tensor):
        return bool(before.shape == after.shape and torch.equal(before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(
            _unchanged(before[k], after[k]) for k in before
        )
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    if is_own_model(before):
        # Values only: a model that was made float64 says what it said.
        weights = [{k: w.double() for k, w in m.state_dict().items()} for m in (before, after)]
        return _unchanged(*weights) and not any(p.active for p in after.hook_points.values())
    return True


def is_own_model(value: Any) -> bool:
    """Whether this is a model of one of our own classes, not of a subclass or a look-alike."""
    if not isinstance(value, torch.nn.Module):
        return False
    from mechcourse.architectures import ARCHITECTURES  # only now: models take a while to import

    return ARCHITECTURES.get(type(value).__name__, (None,))[0] is type(value)


def described(error: BaseException, exercise: str) -> tuple[str, str, str]:
    """An exception from a learner's code as `(kind, text, where)`.

    `where` is the line of their own code that raised it, "in line 3 of attention_pattern: …", or
    empty where no line is theirs. The text of a `NotImplementedError` says which function is not
    written yet where that is another one than the exercise itself.
    """
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if not _is_library(f.filename)]
    where = f"in line {mine[-1].lineno} of {mine[-1].name}: {mine[-1].line}" if mine else ""
    try:
        text = str(error)[:TEXT_LIMIT]
    except Exception:  # an exception of the learner's own, whose __str__ raises
        text = ""
    # PyTorch raises it too, "… not implemented for 'Long'": with words, and not by their `raise`.
    unwritten = not text or (mine and str(mine[-1].line).startswith("raise"))
    if isinstance(error, NotImplementedError) and unwritten:
        elsewhere = mine and mine[-1].name not in (exercise, "<module>")
        text = f"It calls {mine[-1].name}, which is not written yet: begin there." * bool(elsewhere)
        return "NotImplementedError", text, where
    if isinstance(error, NotImplementedError):
        return "RuntimeError", text, where
    return type(error).__name__, text, where


def _is_library(filename: str) -> bool:
    return "site-packages" in filename or filename.startswith(_LIBRARIES)


def _fresh(model: Any) -> Any:
    # A new object: attributes and hooks that somebody hung on the old one don't come along.
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        copy = type(model)(model.config)
    copy.load_state_dict(weights, assign=True)
    return copy
