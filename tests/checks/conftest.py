"""Make the many runs of the same checks quick."""

from collections.abc import Callable, Iterator
from functools import wraps

import pytest
import torch
from torch import Tensor

from mechcourse.checks import _slow as slow

torch.set_num_threads(1)  # for tiny tensors more threads only wait for each other


def remembering(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same function, which does not repeat what it has worked out: slow truths are few."""
    known: dict[tuple, Tensor] = {}

    @wraps(function)
    def run(*args: Tensor | dict[str, Tensor]) -> Tensor:
        named = [arg.items() if isinstance(arg, dict) else [("", arg)] for arg in args]
        key = tuple((name, t.shape, t.numpy().tobytes()) for items in named for name, t in items)
        if key not in known:
            known[key] = function(*args)
        return known[key].clone()

    return run


@pytest.fixture(scope="session", autouse=True)
def quick_truth() -> Iterator[None]:
    """Every slow implementation remembers, for as long as the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("attention_pattern", "stream", "logits"):
            patch.setattr(slow, name, remembering(getattr(slow, name)))
        yield
