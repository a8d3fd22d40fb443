"""Thin ipywidgets controls around the figures of `mechcourse.plots`.

Importing this needs neither ipywidgets nor plotly, so that a training loop can report through
`LiveCurves` anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from mechcourse.models import Transformer
from mechcourse.widgets._live import LiveCurves

if TYPE_CHECKING:
    from mechcourse.widgets._circuits import CircuitExplorer
    from mechcourse.widgets._explorer import AttentionExplorer

__all__ = ["LiveCurves", "attention_explorer", "circuit_explorer"]


def attention_explorer(
    model: Transformer, tokenizer: Tokenizer, texts: Mapping[str, str] | Sequence[str]
) -> "AttentionExplorer":
    """Look around in a model's attention: choose a text or type one, a layer and a head.

    Hover over a token, or move to it with the keyboard, to see where it looks or who looks at it.

    Args:
        texts: what to choose from, by name or as they are.

    Raises:
        ValueError: there is no text, or the model has no attention layer.
    """
    from mechcourse.widgets._explorer import AttentionExplorer

    return AttentionExplorer(model, tokenizer, texts)


def circuit_explorer(
    model: Transformer, tokenizer: Tokenizer, token: str = " def"
) -> "CircuitExplorer":
    """Look into a head's circuits: type a token or click on one, choose a layer and a head.

    Shown are the keys that the head looks for when it stands on the token, the queries that look
    for the token, and the outputs that the head raises and lowers when it looks at the token.

    Args:
        token: what to start with; of a text that is several tokens, the first.

    Raises:
        ValueError: the model has no attention layer, or fewer tokens than the tokenizer.
    """
    from mechcourse.widgets._circuits import CircuitExplorer

    return CircuitExplorer(model, tokenizer, token)
