"""The grokking explorer: a slider over training, and what the embedding has become by then."""

from html import escape
from math import gcd, inf
from typing import Any

import ipywidgets
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mechcourse import plots
from mechcourse.grokking import Run
from mechcourse.plots._circles import circle_traces, wheel
from mechcourse.plots._spectra import spectrum_bars
from mechcourse.widgets._embeddings import CIRCLES, Seen
from mechcourse.widgets._player import Player

SIDE, HIGH, ACROSS, DOWN = 212, 212, 40, 84  # pixels: a circle's panel, the others, between them
LEFT, RIGHT, TOP, BOTTOM = 52, 52, 40, 20
PLAY = 500  # milliseconds that a step stays when it plays
MOST_LISTED = 8  # key frequencies in the sentence
NOTE = (
    "<small>Each circle shows the numbers' embeddings as they lie in one plane, the one in which "
    "the model at the end of the training holds that frequency; the plane and the scale are the "
    "same at every step. Colour: the number. The line joins each number to the one that comes next "
    "on a perfect circle.</small>"
)


class GrokkingExplorer(ipywidgets.VBox):
    """See `mechcourse.widgets.grokking_explorer`; its controls are attributes."""

    def __init__(self, run: Run) -> None:
        if not run.weights:
            raise ValueError(
                "this run kept no weights on the way, so there is nothing to move through; "
                "grok with `keep` in the config, or load a run that kept some: modular-113"
            )
        self.run, self.seen = run, Seen.of(run)
        self._make_controls()
        self._make_figure()
        controls = ipywidgets.HBox([self.play, self.step], layout={"align_items": "center"})
        super().__init__([controls, self.said, self.figure, ipywidgets.HTML(NOTE)])
        ipywidgets.link((self.play, "value"), (self.step, "index"))
        self.step.observe(self._redraw, "index")
        self._redraw()

    def _make_controls(self) -> None:
        self.play = Player(max=len(self.seen.steps) - 1, interval=PLAY)
        self.step = ipywidgets.SelectionSlider(
            options=[(f"{step:,}", step) for step in self.seen.steps],
            description="After step",
            layout={"width": "560px"},
            style={"description_width": "70px"},
        )
        # Room for two lines, so that what stands below stays where it is.
        self.said = ipywidgets.HTML(layout={"min_height": "48px"})

    def _make_figure(self) -> None:
        """Spectrum and losses over the circles; what moves is filled in by `_redraw`."""
        wide, high = CIRCLES * SIDE + (CIRCLES - 1) * ACROSS, HIGH + DOWN + SIDE
        fig = make_subplots(
            2,
            CIRCLES,
            specs=[[{"colspan": 2}, None, {}], [{}] * CIRCLES],
            row_heights=[HIGH, SIDE],
            horizontal_spacing=ACROSS / wide,
            vertical_spacing=DOWN / high,
            subplot_titles=self._heads(),
        )
        bars, *circles = self._pictures(0)
        fig.add_trace(bars, row=1, col=1)
        for index, trace in enumerate(circles):
            fig.add_trace(trace, row=2, col=index // 3 + 1)
        self._add_losses(fig)
        self._set_axes(fig)
        fig.update_annotations(font={"size": 13, "color": "#44444d"})
        fig.update_layout(
            template=plots.TEMPLATE,
            coloraxis=wheel(self.run.model.config.p) | {"showscale": False},
            **{"width": LEFT + wide + RIGHT, "height": TOP + high + BOTTOM},
            margin={"l": LEFT, "r": RIGHT, "t": TOP, "b": BOTTOM},
            **{"showlegend": False, "bargap": 0.25},
        )
        self.figure = go.FigureWidget(fig)

    def _heads(self) -> list[str]:
        """What stands over each panel, in order."""
        blue, orange = (
            f'<span style="color:{colour}">{name}</span>'
            for name, colour in zip(("train", "test"), plots.COLOURS, strict=False)
        )
        circles = [
            f"<b>frequency {k}</b><br>line: x to x + {step}"
            for k, step in zip(self.seen.circled, self._strides(), strict=True)
        ]
        return [
            "<b>embedding W_E</b>: norm of each frequency",
            f"<b>loss</b> (nats): {blue}, {orange}",
            *circles,
            *[""] * (CIRCLES - len(circles)),
        ]

    def _strides(self) -> list[int]:
        """How far the next number on each circle is: the frequency's inverse, 1 where it has none.

        With it the line goes once round.
        """
        p = self.run.model.config.p
        return [pow(k, -1, p) if gcd(k, p) == 1 else 1 for k in self.seen.circled]

    def _pictures(self, index: int) -> list[go.Bar | go.Scatter]:
        """The spectrum of one step, and three traces for each circle."""
        seen = self.seen
        bars = spectrum_bars("embedding", seen.norms[index].tolist(), seen.keys)
        circles = [
            circle_traces(f"frequency {k}", points[index], step, self._reach)
            for k, points, step in zip(seen.circled, seen.points, self._strides(), strict=True)
        ]
        return [bars, *(trace for circle in circles for trace in circle)]

    @property
    def _reach(self) -> float:
        """How far the furthest point of any step is from 0, along an axis."""
        return float(self.seen.points.abs().max()) or 1.0

    def _add_losses(self, fig: go.Figure) -> None:
        """Both losses, and as the last trace a line at the step that is shown."""
        curves = self.run.curves
        steps = curves.steps.tolist()
        losses = {"train": curves.train_loss.tolist(), "test": curves.test_loss.tolist()}
        for (name, values), colour in zip(losses.items(), plots.COLOURS, strict=False):
            fig.add_scatter(
                **{"x": steps, "y": values, "name": name, "mode": "lines", "row": 1, "col": 3},
                line={"color": colour, "width": 1.8},
                hovertemplate=f"{name}: %{{y:.2~e}} after step %{{x}}<extra></extra>",
            )
        above = [y for values in losses.values() for y in values if 0 < y < inf] or [1.0]
        fig.add_scatter(
            **{"y": [min(above) / 1.5, max(above) * 1.5], "mode": "lines", "row": 1, "col": 3},
            **{"line": {"color": "#24292f", "width": 1.5, "dash": "dot"}, "hoverinfo": "skip"},
        )

    def _set_axes(self, fig: go.Figure) -> None:
        """Axes that stay the same at every step, so that what grows is seen to grow."""
        seen = self.seen
        fig.update_xaxes(showgrid=False, range=[0.3, seen.norms.shape[1] + 0.7], row=1, col=1)
        fig.update_xaxes(title={"text": "frequency", "standoff": 4}, row=1, col=1)
        fig.update_yaxes(range=[0, 1.15 * float(seen.norms.max())], nticks=5, row=1, col=1)
        fig.update_xaxes(title={"text": "step", "standoff": 4}, nticks=4, row=1, col=3)
        log = {"type": "log", "exponentformat": "power", "nticks": 5, "tickfont_size": 10}
        fig.update_yaxes(**log, side="right", row=1, col=3)
        reach = 1.15 * self._reach
        bare = {"showticklabels": False, "ticks": "", "showgrid": False, "showline": False}
        bare |= {"zeroline": True, "zerolinecolor": "#e7eaee", "range": [-reach, reach]}
        for col in range(1, CIRCLES + 1):
            drawn = {**bare, "visible": col <= len(seen.circled), "row": 2, "col": col}
            fig.update_xaxes(**drawn)
            fig.update_yaxes(**drawn)

    def _redraw(self, _: Any = None) -> None:
        """Show the chosen step everywhere, and say it."""
        index = self.step.index
        with self.figure.batch_update():
            for old, new in zip(self.figure.data, self._pictures(index), strict=False):
                old.x, old.y = new.x, new.y
                if new.text is not None:
                    old.text = new.text
            self.figure.data[-1].x = [self.seen.steps[index]] * 2
        self.said.value = f'<span role="status">{escape(self._sentence(index), quote=False)}</span>'

    def _sentence(self, index: int) -> str:
        """What the step's numbers say."""
        curves, step = self.run.curves, self.seen.steps[index]
        # The last look at or before the step.
        look = max(0, int((curves.steps <= step).sum()) - 1)
        train, test = (float(each[look]) for each in (curves.train_accuracy, curves.test_accuracy))
        return (
            f"After step {step:,} of {int(curves.steps[-1]):,} the model gets {train:.1%} of the "
            f"training pairs right and {test:.1%} of the others, and {self._energy(index)}."
        )

    def _energy(self, index: int) -> str:
        keys, n_frequencies = self.seen.keys, self.seen.norms.shape[1]
        if not keys:
            return "at the end it has no key frequency"
        names = [str(k) for k in keys]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        which = f"frequency {listed}" if len(keys) == 1 else f"frequencies {listed}"
        if len(keys) > MOST_LISTED:
            which = f"{len(keys)} frequencies"
        return (
            f"{float(self.seen.shares[index]):.1%} of its embedding's energy is in the {which}, "
            f"key at the end, where an even spread would put {len(keys) / n_frequencies:.1%}"
        )
