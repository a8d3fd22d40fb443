"""Figures of the course: tensors in, a plotly `Figure` out, never `.show()`.

Every figure is a white card with dark text, so that it reads the same in JupyterLab's light and
dark themes and in a saved notebook. Blue is positive and orange negative everywhere; the other
colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from mechcourse.plots._animated import animated_scores
from mechcourse.plots._attention import attention_heads, attention_pattern, past_only
from mechcourse.plots._attribution import attribution_bars, attribution_comparison, token_heatmap
from mechcourse.plots._bars import grouped_bars, term_importance
from mechcourse.plots._circles import number_circles
from mechcourse.plots._circuits import circuit_heatmap, compact, eigenvalues
from mechcourse.plots._composition import composition_graph
from mechcourse.plots._curves import calibration_curve, line, loss_curves, update_norms
from mechcourse.plots._diagram import circuit_diagram
from mechcourse.plots._features import feature_bars, feature_polygons
from mechcourse.plots._fractions import dimensionality_strips
from mechcourse.plots._nulls import histogram_with_null
from mechcourse.plots._pairs import animated_logits, over_pairs
from mechcourse.plots._panels import curve_panels
from mechcourse.plots._phases import phase_map
from mechcourse.plots._polytopes import polytope
from mechcourse.plots._scatter import scatter
from mechcourse.plots._shaded import shaded_curves
from mechcourse.plots._spectra import fourier_spectrum, two_dimensional_spectrum
from mechcourse.plots._style import COLOURS, NEGATIVE, POSITIVE, SEQUENTIAL, TEMPLATE, visible

__all__ = [
    "COLOURS",
    "NEGATIVE",
    "POSITIVE",
    "SEQUENTIAL",
    "TEMPLATE",
    "animated_logits",
    "animated_scores",
    "attention_heads",
    "attention_pattern",
    "attribution_bars",
    "attribution_comparison",
    "calibration_curve",
    "circuit_diagram",
    "circuit_heatmap",
    "compact",
    "composition_graph",
    "curve_panels",
    "dimensionality_strips",
    "eigenvalues",
    "feature_bars",
    "feature_polygons",
    "fourier_spectrum",
    "grouped_bars",
    "histogram_with_null",
    "line",
    "loss_curves",
    "number_circles",
    "over_pairs",
    "past_only",
    "phase_map",
    "polytope",
    "scatter",
    "shaded_curves",
    "term_importance",
    "token_heatmap",
    "two_dimensional_spectrum",
    "update_norms",
    "visible",
]
