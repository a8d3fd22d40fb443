"""Features of toy models as arrows that move while the models train."""

import time
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from mechcourse.widgets._live import _in_notebook, _plain_output

MOST = 12  # models; more can't be followed
PER_SECOND = 4
SHARE = 10  # drawing gets at most one part in so many of the time


class LivePolygons:
    """The `watch(step, W, b)` of `superposition_training.train`, for models of two dimensions.

    Under a notebook it draws some instances' features as arrows, over and over as they train, and
    leaves the last picture as a plain figure. Elsewhere, and under grading, it does nothing.

    Args:
        shown: which instances, by the name that stands over each.
        n_steps: of the training: at this step the plain figure takes the live one's place.

    Raises:
        ValueError: there is no instance to show, or more than 12.
    """

    def __init__(self, title: str, shown: Mapping[str, int], n_steps: int) -> None:
        if not 1 <= len(shown) <= MOST:
            raise ValueError(f"{len(shown)} models to show; give 1 to {MOST}")
        self.title, self.shown, self.n_steps = title, dict(shown), n_steps
        self._figure: Any = None
        self._handle: Any = None
        self._drawn = self._cost = 0.0

    def __call__(
        self,
        step: int,
        W: Float[Tensor, "instance feature hidden"],
        b: Float[Tensor, "instance feature"],
    ) -> None:
        """Draw, if it is time to; at the last step always."""
        if not _in_notebook():
            return
        start, done = time.monotonic(), step >= self.n_steps
        soon = start - self._drawn < max(1 / PER_SECOND, SHARE * self._cost)
        if soon and self._figure is not None and not done:
            return
        self._draw(step, W, done)
        self._drawn = time.monotonic()
        self._cost = self._drawn - start

    def figure(self, step: int, W: Float[Tensor, "instance feature hidden"]) -> Any:
        """The arrows of the instances that are shown, as a plotly `Figure`."""
        from mechcourse.plots import feature_polygons

        fig = feature_polygons({name: W[i] for name, i in self.shown.items()}, self.title)
        fig.update_layout(title_subtitle_text=f"step {step:,} of {self.n_steps:,}")
        return fig

    def _draw(self, step: int, W: Tensor, done: bool) -> None:
        import plotly.graph_objects as go
        from IPython.display import display

        fig = self.figure(step, W)
        if self._figure is None:
            self._figure = go.FigureWidget(fig)
            self._handle = display(self._figure, display_id=True)
        if done:
            self._handle.update(_plain_output(fig), raw=True)
            self._figure = None  # a training that begins anew draws anew
            return
        with self._figure.batch_update():
            for old, new in zip(self._figure.data, fig.data, strict=True):
                old.x, old.y, old.text = new.x, new.y, new.text
            self._figure.layout.title.subtitle.text = fig.layout.title.subtitle.text
            self._figure.update_layout(_ranges(fig))


def _ranges(fig: Any) -> dict[str, Any]:
    """The axes' ranges: arrows grow while they train."""
    axes = [name for name in fig.layout if name.startswith(("xaxis", "yaxis"))]
    return {name: {"range": fig.layout[name].range} for name in axes}
