"""The runtime type checker that pytest puts around every function of mechcourse."""

from collections.abc import Callable

from beartype import beartype
from beartype.roar import BeartypeDecorHintPep673Exception


def checked(function: Callable) -> Callable:
    """beartype, except for a method that mentions `Self`: seen alone, its class is not known."""
    try:
        return beartype(function)
    except BeartypeDecorHintPep673Exception:
        return function
