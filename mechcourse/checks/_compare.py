"""Comparisons that a check makes, and the words in which they say what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from mechcourse.checks._result import CheckFailed, CheckResult
from mechcourse.checks._symptoms import symptom

# A wrong answer that a check knows by name: the words for it, and the value it gives.
Misconceptions = Mapping[str, Tensor | float | Callable[[], Tensor | float]]


class Comparisons:
    """Properties held so far, and the ways to hold another."""

    # Tests switch this on: a misconception whose value equals the right one can't be told apart.
    audit = False

    def __init__(self, exercise: str) -> None:
        self.exercise = exercise
        self.held: list[str] = []

    def fail(
        self, *, property: str, misconception: str = "", expected: str = "", got: str = ""
    ) -> NoReturn:
        """End the check: the property does not hold."""
        raise CheckFailed(
            CheckResult(self.exercise, "wrong", property, misconception, expected, got)
        )

    def expect(
        self,
        condition: bool | Tensor,
        *,
        property: str,
        misconception: str = "",
        expected: str = "",
        got: str = "",
    ) -> None:
        """Hold a property that is simply true or false."""
        if not bool(condition):
            self.fail(property=property, misconception=misconception, expected=expected, got=got)
        self._hold(property)

    def expect_close(
        self,
        got: Any,
        expected: Tensor | float,
        *,
        property: str,
        dims: str = "",
        misconceptions: Misconceptions | None = None,
        otherwise: str = "",
        atol: float = 1e-5,
        rtol: float = 1e-4,
    ) -> Tensor:
        """Hold that a tensor or number has the expected shape and values, and return it.

        Args:
            dims: the names of the expected tensor's axes, "batch head query key".
            misconceptions: known wrong answers; if one of them is what came back, the message
                says so. A value may be a function without arguments, called only when needed.
            otherwise: what is probably wrong where none of them is; else the symptom is told.
        """
        want = torch.as_tensor(expected)
        if want.dtype != torch.bool and not want.is_complex():
            want = want.double()
        value = self.tensor(got, shape=tuple(want.shape), dims=dims, of=property)
        value = value.to(want.dtype)
        named = misconceptions or {}
        if self.audit:
            for words, wrong in named.items():
                wrong = torch.as_tensor(wrong() if callable(wrong) else wrong).to(want.dtype)
                same = wrong.shape == want.shape and _close(wrong, want, 10 * atol, 10 * rtol)
                assert not same, f"{self.exercise}: these inputs do not expose: {words}"
        if _close(value, want, atol, rtol):
            self._hold(property)
            return value
        for misconception, wrong in named.items():
            wrong = torch.as_tensor(wrong() if callable(wrong) else wrong).to(want.dtype)
            if wrong.shape == value.shape and _close(value, wrong, atol, rtol):
                words = misconception
                break
        else:
            words = otherwise or symptom(value, want, dims)
        place, wanted, came = _worst(value, want, dims)
        self.fail(property=property, misconception=words, expected=f"{wanted}{place}", got=came)

    def tensor(
        self, got: Any, *, shape: tuple[int, ...], dims: str = "", of: str = "the result"
    ) -> Tensor:
        """The value as a tensor of this shape, or a finding that says what it is instead."""
        words = f" [{dims}]" if dims else ""
        if isinstance(got, list | tuple) and not _nested_numbers(got):
            self.fail(
                property=of,
                misconception="torch.stack or torch.cat makes one tensor of several.",
                expected=f"one tensor of shape{words} = {list(shape)}",
                got=f"a {type(got).__name__} of {len(got)}",
            )
        if not isinstance(got, Tensor | bool | int | float | complex | list | tuple):
            self.fail(
                property=of,
                expected=f"a tensor of shape{words} = {list(shape)}" if shape else "a number",
                got=f"a {type(got).__name__}",
            )
        try:
            value = torch.as_tensor(got)
        except (ValueError, TypeError):
            self.fail(property=of, expected="a tensor", got="a list that is not rectangular")
        if value.is_complex():
            self.fail(property=of, expected="real values", got=f"dtype {value.dtype}")
        if tuple(value.shape) != shape:
            swapped = sorted(value.shape) == sorted(shape) and len(shape) > 1
            self.fail(
                property=of,
                misconception="two axes are in each other's place." if swapped else "",
                expected=f"shape{words} = {list(shape)}" if shape else "a single number",
                got=f"shape {list(value.shape)}",
            )
        return value

    def expect_tuple(self, got: Any, names: Sequence[str]) -> list[Any]:
        """The members of a tuple or list of this length."""
        wanted = f"a tuple ({', '.join(names)})"
        if not isinstance(got, list | tuple):
            kind = "one tensor" if isinstance(got, Tensor) else f"a {type(got).__name__}"
            self.fail(property=f"returns {wanted}", expected=wanted, got=kind)
        if len(got) != len(names):
            self.fail(property=f"returns {wanted}", expected=wanted, got=f"{len(got)} values")
        return list(got)

    def expect_dict(self, got: Any, keys: Sequence[str]) -> dict[str, Any]:
        """A dict with exactly these keys."""
        if not isinstance(got, dict):
            self.fail(property="returns a dict", expected="a dict", got=f"a {type(got).__name__}")
        missing, extra = sorted(set(keys) - set(got)), sorted(map(str, set(got) - set(keys)))
        if missing or extra:
            self.fail(
                property="has the same keys as the dict it was given",
                expected=f"the keys {', '.join(keys)}",
                got="; ".join(
                    filter(
                        None,
                        [
                            missing and f"none called {', '.join(missing)}",
                            extra and f"also {', '.join(extra)}",
                        ],
                    )
                ),
            )
        return got

    def _hold(self, property: str) -> None:
        if property not in self.held:
            self.held.append(property)


def _close(value: Tensor, want: Tensor, atol: float, rtol: float) -> bool:
    return bool(torch.isclose(value, want, atol=atol, rtol=rtol, equal_nan=True).all())


def _worst(value: Tensor, want: Tensor, dims: str) -> tuple[str, str, str]:
    """Where value and want differ most, in words, and the two values there."""
    if want.dtype == torch.bool:
        gap = (value != want).double()
    else:
        gap = (value - want).abs()
        gap = torch.where(gap.isnan(), torch.inf, gap)
        # Two equal infinities differ by NaN and yet agree.
        gap = torch.where((value == want) | (value.isnan() & want.isnan()), 0.0, gap)
    if not gap.ndim:
        return "", _number(want), _number(value)
    index = [int(i) for i in torch.unravel_index(gap.argmax(), gap.shape)]
    names = dims.split() if dims else [""] * len(index)
    place = ", ".join(f"{n} {i}" if n else str(i) for n, i in zip(names, index, strict=True))
    at = tuple(index)
    return f" at [{place}]", _number(want[at]), _number(value[at])


def _number(value: Tensor) -> str:
    item = value.item()
    return f"{item:.5g}" if isinstance(item, float | complex) else str(item)


def _nested_numbers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_nested_numbers, value))
    return isinstance(value, bool | int | float | complex)
