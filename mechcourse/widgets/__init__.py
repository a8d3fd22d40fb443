"""Thin ipywidgets controls around the figures of `mechcourse.plots`.

Importing this needs neither ipywidgets nor plotly, so that a training loop can report through
`LiveCurves` anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from mechcourse.grokking import Run
from mechcourse.models import Transformer
from mechcourse.superposition_zoo import PhaseGrid
from mechcourse.widgets._codec import Codec, Functions
from mechcourse.widgets._live import LiveCurves
from mechcourse.widgets._polygons import LivePolygons

if TYPE_CHECKING:
    from mechcourse.widgets._circuits import CircuitExplorer
    from mechcourse.widgets._explorer import AttentionExplorer
    from mechcourse.widgets._followers import InductionExplorer
    from mechcourse.widgets._grokking import GrokkingExplorer
    from mechcourse.widgets._superposition import SuperpositionExplorer

__all__ = [
    "LiveCurves",
    "LivePolygons",
    "attention_explorer",
    "circuit_explorer",
    "grokking_explorer",
    "induction_explorer",
    "superposition_explorer",
]


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


def induction_explorer(
    model: Transformer, tokenizer: Codec | Functions, text: str
) -> "InductionExplorer":
    """Paste code, click on a token, see which heads look at what followed its last occurrence.

    Its earlier copies and what followed them are marked in the text. A map shows each head's
    attention on what followed the last copy, on what followed any, or on the copies themselves,
    each beside what even attention would put there; a sentence reads it.

    Args:
        tokenizer: has `encode(text)`, the tokens' numbers, and `decode([number])`, a token's text,
            as `data.code_tokenizer()` or one of `transformers` has; or is a pair of such functions.
        text: what to start with. One that is longer than the model's context is cut, and one that
            holds no token waits for another; both are said.

    Raises:
        ValueError: the model has no attention layer.
    """
    from mechcourse.widgets._followers import InductionExplorer

    return InductionExplorer(model, tokenizer, text)


def grokking_explorer(run: Run) -> "GrokkingExplorer":
    """Move through a training: the embedding's frequencies and circles, and the losses, by step.

    One slider over the steps at which weights were kept, which also plays. The circles are of the
    three frequencies that are largest in the embedding at the end. Each number's embedding is
    projected onto two orthonormal directions in the plane that the frequency's cos and sin span in
    the embedding at the end. That plane is the same at every step: one taken anew would flatter the
    early steps, as even of random weights about half of what lies in it, for p = 113 and 128
    dimensions, is of its frequency. A sentence reads the step, the accuracies, and the share of the
    embedding's energy, its mean left out, that is in the key frequencies: those of the neuron-logit
    map at the end.

    Raises:
        ValueError: the run kept no weights.
    """
    from mechcourse.widgets._grokking import GrokkingExplorer

    return GrokkingExplorer(run)


def superposition_explorer(grid: PhaseGrid) -> "SuperpositionExplorer":
    """Move through a grid of trained toy models, by the last one's importance and how rare all are.

    Two sliders choose a cell; the arrows of its best model change under the hand, a mark moves over
    the map of all cells, and a sentence says what became of the last feature. The line on the map
    is where sharing stops to pay, by the closed forms.

    Args:
        grid: `superposition_zoo.phase_grid(superposition_zoo.load("phases-3x2"))`, say.
    """
    from mechcourse.widgets._superposition import SuperpositionExplorer

    return SuperpositionExplorer(grid)
