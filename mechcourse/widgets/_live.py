"""A training loop's progress: curves that grow in a notebook, a text bar elsewhere."""

import json
import sys
import time
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any

from tqdm import tqdm

from mechcourse.progress import being_graded

MOST_POINTS = 400  # of a curve; more can't be told apart in a figure 820 pixels wide


class LiveCurves:
    """The callback `progress(step, n_steps, metrics)` of a training loop.

    In a notebook it shows the metrics as curves that grow, with the time taken and the time left;
    when the last step is done a plain figure takes its place, which the saved notebook keeps.
    Elsewhere, under grading and where ipywidgets or plotly is missing it is a text bar. A step
    smaller than the last one starts anew. Metrics named "KIND/CURVE" are drawn in one panel for
    each kind, the curves of one model in one colour.

    Args:
        title: stands over the figure.
        baselines: losses of simpler predictors by name, drawn as horizontal lines.
        redraws_per_second: an upper bound; drawing takes time away from training, and gets at
            most a tenth of it.
        log_y: whether the axis is logarithmic; where there are panels, which of them have such an
            axis, ["loss"].
    """

    def __init__(
        self,
        title: str = "Loss while training",
        baselines: Mapping[str, float | int] | None = None,
        redraws_per_second: float | int = 2,
        log_y: bool | Collection[str] = False,
    ) -> None:
        self.title, self.baselines = title, dict(baselines or {})
        self.log_y = bool(log_y)
        self.log_panels = () if isinstance(log_y, bool) else tuple(log_y)
        self.pause = 1 / redraws_per_second
        self._view: _Notebook | _Text | None = None
        self._last_step = -1
        self._cost = 0.0  # seconds that the last drawing took

    def __call__(self, step: int, n_steps: int, metrics: Mapping[str, float | int]) -> None:
        """Report that `step` steps of `n_steps` are done.

        Args:
            metrics: values by name; a metric may be reported at some of the steps only.
        """
        fresh = self._view is None or step < self._last_step
        if fresh:
            self.curves: dict[str, tuple[list[int], list[float]]] = {}
            self.started = self._drawn = time.monotonic()
        self._last_step = step
        for name, value in metrics.items():
            steps, values = self.curves.setdefault(name, ([], []))
            steps.append(step)
            values.append(float(value))
        if fresh:  # only now: what is reported decides which panels there are
            self._view = _Notebook(self) if _in_notebook() else _Text(self)
            self._drawn -= self.pause  # the first report draws at once
        done, start = step >= n_steps, time.monotonic()
        if done or start - self._drawn >= max(self.pause, 10 * self._cost):
            self._view.draw(step, n_steps, done)
            self._drawn = time.monotonic()
            self._cost = self._drawn - start

    def latest(self) -> str:
        """The newest value of each metric, of the first kind where there are several."""
        first = next(iter(self.curves), "").rpartition("/")[0]
        shown = {n: v for n, (_, v) in self.curves.items() if n.rpartition("/")[0] == first}
        return " · ".join(f"{name} {_short(values[-1])}" for name, values in shown.items())

    def status(self, step: int, n_steps: int) -> str:
        """How far it has come, and how long it took and will take."""
        elapsed = time.monotonic() - self.started
        parts = [f"step {step:,} of {n_steps:,}", f"{_minutes(elapsed)} elapsed"]
        if 0 < step < n_steps:
            parts.append(f"about {_minutes(elapsed / step * (n_steps - step))} left")
        return " · ".join(filter(None, [*parts, self.latest()]))


class _Notebook:
    """A progress bar over a figure that grows."""

    def __init__(self, live: LiveCurves) -> None:
        import ipywidgets
        import plotly.graph_objects as go
        from IPython.display import display

        self.live = live
        self.bar = ipywidgets.FloatProgress(max=1, layout={"width": "220px"})
        self.text = ipywidgets.Label()
        self.figure = go.FigureWidget(self._plain())
        top = ipywidgets.HBox([self.bar, self.text])
        self.handle: Any = display(ipywidgets.VBox([top, self.figure]), display_id=True)

    def draw(self, step: int, n_steps: int, done: bool) -> None:
        fig = self._plain()
        if done:
            fig.update_layout(title_subtitle_text=self.live.status(step, n_steps))
            self.handle.update(_plain_output(fig), raw=True)
            return
        self.bar.value = step / n_steps
        self.text.value = self.live.status(step, n_steps)
        with self.figure.batch_update():
            for trace in fig.data[len(self.figure.data) :]:
                self.figure.update_layout(fig.layout)  # a new curve may bring a new panel
                self.figure.add_trace(trace)
            for old, new in zip(self.figure.data, fig.data, strict=True):
                old.x, old.y = new.x, new.y
            # Only what depends on the values: what the learner has zoomed or hidden stays.
            self.figure.layout.annotations = fig.layout.annotations
            if fig.layout.yaxis.range is not None:
                self.figure.layout.yaxis.range = fig.layout.yaxis.range
            self.figure.layout.margin = fig.layout.margin

    def _plain(self) -> Any:
        from mechcourse.plots import curve_panels, loss_curves

        live = self.live
        thin = {name: (_thin(x), _thin(y)) for name, (x, y) in live.curves.items()}
        if any("/" in name for name in thin):
            panels: dict[str, dict[str, Any]] = {}
            for name, curve in thin.items():
                kind, _, rest = name.rpartition("/")
                panels.setdefault(kind, {})[rest] = curve
            return curve_panels(panels, live.title, log_y=live.log_panels)
        return loss_curves(thin, live.baselines, live.log_y, live.title, y_title="")


class _Text:
    """A tqdm bar. It writes to standard output: stderr in a cell costs marks under nbgrader."""

    def __init__(self, live: LiveCurves) -> None:
        self.live = live
        self.bar = tqdm(desc=live.title, file=sys.stdout, unit="step", leave=True)

    def draw(self, step: int, n_steps: int, done: bool) -> None:
        self.bar.total, self.bar.n = n_steps, step
        self.bar.set_postfix_str(self.live.latest())
        if done:
            self.bar.close()


def _plain_output(fig: Any) -> dict[str, Any]:
    """A figure as output that can take another's place: a `Figure` shows itself as a new one."""
    return {
        "application/vnd.plotly.v1+json": json.loads(fig.to_json()),
        "text/plain": fig.layout.title.text,
    }


def _thin(values: list[Any]) -> list[Any]:
    """At most about `MOST_POINTS` of the values, the newest among them."""
    stride = -(-len(values) // MOST_POINTS) or 1
    return values[::-stride][::-1]


def _short(value: float) -> str:
    """A metric in a few characters, whatever its size.

    >>> _short(2.0), _short(3.2e-7)
    ('2.000', '3.2e-07')
    """
    return f"{value:.3f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"


def _minutes(seconds: float) -> str:
    """A time that a person can take in.

    >>> _minutes(75.2)
    '1 min 15 s'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _in_notebook() -> bool:
    """Whether there is a kernel with a browser behind it, and what it takes to draw there."""
    if being_graded() or not all(find_spec(name) for name in ("ipywidgets", "plotly", "anywidget")):
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
