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
    from mechcourse.widgets._explorer import AttentionExplorer

__all__ = ["LiveCurves", "attention_explorer"]


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
