"""The superposition explorer: importance and sparsity under two sliders, and the polygon."""

from collections import Counter
from html import escape
from typing import Any

import ipywidgets
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from mechcourse import plots
from mechcourse.phase_diagram import phase_boundary, phase_of
from mechcourse.plots._features import polygon_traces
from mechcourse.superposition_zoo import PhaseGrid

SIDE, ACROSS, LEFT, RIGHT, TOP, BOTTOM = 330, 70, 56, 16, 56, 48  # pixels
COLOURS = {"ignored": "#bcd7ea", "antipodal": "#b5dccd", "dedicated": "#f3c9a8"}
SAID = {
    "ignored": "is ignored",
    "antipodal": "shares a dimension with another",
    "dedicated": "has a dimension of its own",
}


class SuperpositionExplorer(ipywidgets.VBox):
    """See `mechcourse.widgets.superposition_explorer`; its controls are attributes."""

    def __init__(self, grid: PhaseGrid) -> None:
        self.grid = grid
        self.best = grid.losses.argmin(dim=-1)  # [density importance]
        self.phases = [
            [[phase_of(W) for W in models] for models in row]
            for row in grid.W.flatten(0, 1).unflatten(0, self.best.shape)
        ]
        self._make_controls()
        self._make_figure()
        controls = ipywidgets.VBox([self.importance, self.probability])
        super().__init__([controls, self.said, self.figure])
        for control in (self.importance, self.probability):
            control.observe(self._redraw, "index")
        self._redraw()

    def _make_controls(self) -> None:
        def slider(name: str, values: Float[Tensor, "_"], index: int) -> Any:
            return ipywidgets.SelectionSlider(
                options=[(f"{value:.3g}", i) for i, value in enumerate(values.tolist())],
                index=index,
                description=name,
                layout={"width": "620px"},
                style={"description_width": "230px"},
            )

        n_up, n_across = self.best.shape
        self.importance = slider(
            "Importance of the last feature", self.grid.importances, n_across // 2
        )
        self.probability = slider(
            "Probability that one is present", self.grid.probabilities, n_up // 2
        )
        self.said = ipywidgets.HTML(layout={"min_height": "48px"})

    def _make_figure(self) -> None:
        wide = 2 * SIDE + ACROSS
        fig = make_subplots(
            1,
            2,
            horizontal_spacing=ACROSS / wide,
            subplot_titles=["<b>all cells</b>: the best of the models", "<b>this cell</b>"],
        )
        self._add_map(fig)
        for trace in polygon_traces("model", self._flat(self._model())):
            fig.add_trace(trace, row=1, col=2)
        self._set_axes(fig)
        fig.update_annotations(font={"size": 13, "color": "#44444d"})
        fig.update_layout(
            template=plots.TEMPLATE,
            **{"width": LEFT + wide + RIGHT, "height": TOP + SIDE + BOTTOM, "showlegend": False},
            margin={"l": LEFT, "r": RIGHT, "t": TOP, "b": BOTTOM},
        )
        self.figure = go.FigureWidget(fig)

    def _add_map(self, fig: go.Figure) -> None:
        """The phases, the boundary by the closed forms, and as the third trace a mark."""
        names = list(COLOURS)
        best = [[row[j][self.best[i, j]] for j in range(len(row))] for i, row in self._rows()]
        across, up = self.grid.importances.tolist(), self.grid.probabilities.tolist()
        shades = [(i / (len(names) - 1), COLOURS[name]) for i, name in enumerate(names)]
        cells = go.Heatmap(x=across, y=up, z=[[names.index(name) for name in row] for row in best])
        cells.update(
            colorscale=shades,
            **{"zmin": 0, "zmax": len(names) - 1, "showscale": False, "xgap": 1, "ygap": 1},
            customdata=best,
            hovertemplate="importance %{x:.3g}, probability %{y:.3g}: "
            "the last feature is %{customdata}<extra></extra>",
        )
        fig.add_trace(cells, row=1, col=1)
        line = {"color": "#24292f", "width": 2}
        boundary = [phase_boundary(value, self.grid.W.shape[-2]) for value in across]
        fig.add_scatter(x=across, y=boundary, mode="lines", line=line, row=1, col=1)
        fig.data[-1].hovertemplate = "boundary of the closed forms<extra></extra>"
        mark = {"symbol": "circle-open", "size": 15, "color": "#24292f", "line": {"width": 3}}
        fig.add_scatter(x=[1], y=[1], mode="markers", marker=mark, row=1, col=1)
        fig.data[-1].hoverinfo = "skip"

    def _rows(self) -> Any:
        return enumerate(self.phases)

    def _set_axes(self, fig: go.Figure) -> None:
        log = {"type": "log", "tickformat": "~g", "dtick": "D2", "showgrid": False}
        fig.update_xaxes(**log, title_text="importance", row=1, col=1)
        fig.update_yaxes(**log, title_text="probability", row=1, col=1)
        reach = 1.3 * float(self.grid.W.norm(dim=-1).max().clamp(min=1))
        bare = {"showticklabels": False, "ticks": "", "showgrid": False, "showline": False}
        bare |= {"zeroline": True, "zerolinecolor": "#eef0f3", "range": [-reach, reach]}
        fig.update_xaxes(**bare, row=1, col=2)
        fig.update_yaxes(**bare, row=1, col=2)

    def _cell(self) -> tuple[int, int]:
        return self.probability.index, self.importance.index

    def _model(self) -> Float[Tensor, "feature hidden"]:
        """The best model of the cell, turned so that feature 0 points to the right."""
        i, j = self._cell()
        W = self.grid.W[i, j, self.best[i, j]]
        if W.shape[1] != 2:
            return W * (1 if W[0, 0] >= 0 else -1)
        first = W[W.norm(dim=1).argmax()] if W[0].norm() < 0.1 else W[0]
        x, y = (first / first.norm().clamp(min=1e-9)).tolist()
        turned = W @ torch.tensor([[x, -y], [y, x]])
        return turned * torch.tensor([1.0, -1.0 if turned[1, 1] < 0 else 1.0])

    @staticmethod
    def _flat(W: Float[Tensor, "feature hidden"]) -> Float[Tensor, "feature 2"]:
        """In the plane: a single dimension lies across."""
        return W if W.shape[1] == 2 else torch.cat([W, torch.zeros_like(W)], dim=1)

    def _redraw(self, _: Any = None) -> None:
        i, j = self._cell()
        with self.figure.batch_update():
            self.figure.data[2].x = [float(self.grid.importances[j])]
            self.figure.data[2].y = [float(self.grid.probabilities[i])]
            arrows = polygon_traces("model", self._flat(self._model()))
            for old, new in zip(self.figure.data[3:], arrows, strict=True):
                old.x, old.y, old.text = new.x, new.y, new.text
        self.said.value = f'<span role="status">{escape(self._sentence(), quote=False)}</span>'

    def _sentence(self) -> str:
        i, j = self._cell()
        best, models = int(self.best[i, j]), self.phases[i][j]
        agree = Counter(models)[models[best]]
        importance, p = float(self.grid.importances[j]), float(self.grid.probabilities[i])
        return (
            f"Importance {importance:.3g}, present with probability {p:.3g}: in the best of "
            f"{len(models)} models the last feature {SAID[models[best]]}, at a loss of "
            f"{float(self.grid.losses[i, j, best]):.3g}; {agree} of the {len(models)} models agree."
        )
