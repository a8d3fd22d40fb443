"""Helpers behind a course on mechanistic interpretability: toy models, data, plots and checks.

Importing the package itself is cheap: it pulls in neither torch nor plotly, so that
`python -m mechcourse lab` runs on a bare Python.
"""

__version__ = "0.1.0"
