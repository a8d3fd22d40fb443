"""What animated figures share: a slider over the frames, and buttons that play them."""

from collections.abc import Sequence
from typing import Any

from mechcourse.plots._style import INK

PLAY = 60  # milliseconds that a frame stays when it plays
# Left, right, top and bottom, in pixels: room for the slider and the buttons below the axis.
MARGIN = {"l": 64, "r": 30, "t": 112, "b": 130}


def controls(
    names: Sequence[str], active: int, prefix: str, play: int = PLAY, *, redraw: bool = False
) -> dict[str, Any]:
    """The layout's slider and buttons for frames of these names.

    Args:
        active: the frame that the figure opens with, counted from 0.
        prefix: stands before the name of the frame that is shown.
        play: milliseconds that a frame stays when it plays.
        redraw: whether a frame changes more than bars and lines, a text say.
    """
    return {
        "sliders": [_slider(names, active, prefix, redraw)],
        "updatemenus": [_buttons(play, redraw)],
    }


def _slider(names: Sequence[str], active: int, prefix: str, redraw: bool) -> dict[str, Any]:
    frame = {"duration": 0} | ({"redraw": True} if redraw else {})
    at_once = {"mode": "immediate", "frame": frame, "transition": {"duration": 0}}
    return {
        "active": active,
        "currentvalue": {"prefix": prefix},
        "steps": [
            {"label": name, "method": "animate", "args": [[name], at_once]} for name in names
        ],
        **{"x": 0.18, "len": 0.82, "y": 0, "pad": {"t": 48}},
        **{"ticklen": 0, "minorticklen": 0, "font": {"color": "rgba(0,0,0,0)"}},
        "currentvalue_font_color": INK,
    }


def _buttons(duration: int, redraw: bool) -> dict[str, Any]:
    frame = {"duration": duration, "redraw": redraw}
    play = {"frame": frame, "transition": {"duration": 0}, "fromcurrent": False}
    stop = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        **{"x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "pad": {"t": 56}},
        "buttons": [
            {"label": "play", "method": "animate", "args": [None, play]},
            {"label": "stop", "method": "animate", "args": [[None], stop]},
        ],
    }
