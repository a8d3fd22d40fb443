"""The runtime type checker that pytest puts around every function of mechcourse."""

from collections.abc import Callable

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

check = beartype(
    conf=BeartypeConf(is_pep484_tower=True)
)  # an int will do for a float, as in Python


def checked(function: Callable) -> Callable:
    """beartype, except for a method that mentions `Self`: seen alone, its class is not known."""
    try:
        return check(function)
    except BeartypeDecorHintPep673Exception:
        return function
