"""What turns text into tokens and back, whoever made it."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Codec(Protocol):
    """What turns text into tokens: `tokenizers`' kind, `transformers`' kind, or your own."""

    def encode(self, text: str, /) -> Any:
        """The tokens' numbers, as a list or as something that holds them in `ids`."""

    def decode(self, ids: list[int], /) -> str:
        """The text of some tokens."""


Functions = tuple[Callable[[str], list[int]], Callable[[list[int]], str]]
