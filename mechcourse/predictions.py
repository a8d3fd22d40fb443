"""Guesses made before an answer is seen, and how well they held.

`predict` records what the learner expects and how sure they are, `reveal` gives the answer and
locks the guess, `calibration` looks back. None of it is graded, and under grading nothing happens.
The record is `predictions.jsonl` beside the other progress; without a record folder it lasts as
long as the kernel.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mechcourse.progress import append, being_graded, entries

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BANDS = (0.0, 0.5, 0.7, 0.9, 1.0)  # of confidence, for the hit rates: above one, up to the next
FEW = 10

_this_kernel: list[dict[str, Any]] = []


class PredictionError(ValueError):
    """What was passed can't be a prediction; a notebook shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def predict(
    name: str,
    options: Sequence[str],
    guess: str | None = None,
    confidence: float | int | None = None,
) -> None:
    """Record what you expect, and how sure you are, before the answer is computed.

    Until the answer is revealed the last guess counts; afterwards a new one is not recorded.

    Args:
        options: what the answer may be. Ranges are written "below 0.1", "0.1 to 0.3", "above 0.3".
        guess: one of the options; `None` shows them.
        confidence: the probability that the guess is right, from one in the number of options
            (no idea) to 1 (certain).

    Raises:
        PredictionError: the guess is no option, or the confidence no such probability.
    """
    if being_graded():
        return
    options = [str(option) for option in options]
    if len(set(options)) < max(2, len(options)):
        raise PredictionError(f"options must be at least two, all different; got {options}")
    made, revealed = _guess(_chapter(), name), _revealed(_chapter(), name)
    if guess is None:
        print(_invitation(options) if made is None else f"{_said(made)}.")
        return
    chosen = _option(guess, options)
    sure = _probability(confidence, len(options))
    if revealed:
        _refuse(made, chosen, sure)
        return
    fields = {"options": options, "guess": chosen, "confidence": sure}
    _keep({"chapter": _chapter(), "name": name, "event": "guess", **fields})
    print(f"Noted: {chosen!r}, with {sure:.0%}. You can change it until the answer is revealed.")


def reveal(name: str, answer: object) -> None:
    """Print the answer beside the guess, and lock the guess.

    Args:
        answer: one of the options, or a number where the options are ranges.
    """
    if being_graded():
        return
    chapter = _chapter()
    made, before = _guess(chapter, name), _revealed(chapter, name)
    right = _matching(answer, made["options"]) if made else str(answer)
    if before is None or before["answer"] != right:
        _keep({"chapter": chapter, "name": name, "event": "reveal", "answer": right})
    shown = f"{right!r}" if str(answer) == right else f"{answer}, that is {right!r}"
    if made is None:
        print(f"The answer is {shown}. You made no prediction.")
    else:
        verdict = "You were right." if made["guess"] == right else "Surprised?"
        print(f"{_said(made)}; the answer is {shown}. {verdict}")


def calibration(chapter: str | None = None) -> "Figure | None":
    """How often your predictions came true, by how sure you were.

    Prints the Brier score, the mean of (confidence - 1 if right else 0)², beside what guessing
    uniformly would score on the same questions. Lower is better.

    Args:
        chapter: a chapter's folder name; by default every chapter on record.

    Returns:
        The figure, or `None` where no prediction has met its answer yet.
    """
    if being_graded():
        return None
    made = _resolved(chapter)
    if not made:
        print("No prediction has met its answer yet, so there is nothing to compare.")
        return None
    from mechcourse import plots

    chances = [1 / n_options for _, _, n_options in made]
    brier = sum((sure - hit) ** 2 for sure, hit, _ in made) / len(made)
    null = sum(chance * (1 - chance) for chance in chances) / len(made)
    print(f"{len(made)} predictions, {sum(hit for _, hit, _ in made)} right.")
    print(f"Brier score {brier:.3f}; guessing uniformly would score {null:.3f} (lower is better).")
    groups = []
    for low, high in pairwise(BANDS):
        group = [(sure, hit) for sure, hit, _ in made if low < sure <= high]
        if not group:
            continue
        hits = sum(hit for _, hit in group)
        print(f"  sure above {low:.0%}, up to {high:.0%}: {hits} of {len(group)} right")
        groups.append((sum(sure for sure, _ in group) / len(group), hits / len(group), len(group)))
    if len(made) < FEW:
        print(f"Fewer than {FEW} predictions say little about you: read the dots loosely.")
    stated, rates, counts = (list(column) for column in zip(*groups, strict=True))
    return plots.calibration_curve(stated, rates, counts, sum(chances) / len(made))


def _resolved(chapter: str | None) -> list[tuple[float, bool, int]]:
    """(confidence, whether right, number of options) of each guess that met its answer."""
    named = dict.fromkeys((str(e.get("chapter")), str(e.get("name"))) for e in _entries())
    found = []
    for where, name in named:
        made, answer = _guess(where, name), _revealed(where, name)
        if made and answer and chapter in (None, where):
            hit = made["guess"] == answer["answer"]
            found.append((made["confidence"], hit, len(made["options"])))
    return found


def _chapter() -> str:
    return Path.cwd().name


def _keep(entry: dict[str, Any]) -> None:
    _this_kernel.append(entry)
    append("predictions", entry)


def _entries() -> list[dict[str, Any]]:
    """What is on record, then what this kernel alone knows (no folder, a full disk)."""
    recorded = [{k: v for k, v in e.items() if k != "time"} for e in entries("predictions")]
    return recorded + [entry for entry in _this_kernel if entry not in recorded]


def _last(chapter: str, name: str, event: str) -> dict[str, Any] | None:
    wanted = {"chapter": chapter, "name": name, "event": event}.items()
    return next((entry for entry in reversed(_entries()) if wanted <= entry.items()), None)


def _guess(chapter: str, name: str) -> dict[str, Any] | None:
    return _last(chapter, name, "guess")


def _revealed(chapter: str, name: str) -> dict[str, Any] | None:
    return _last(chapter, name, "reveal")


def _said(made: dict[str, Any]) -> str:
    return f"You said {made['guess']!r} with {made['confidence']:.0%}"


def _invitation(options: Sequence[str]) -> str:
    listed = "\n".join(f"  {option!r}" for option in options)
    return (
        f"What do you expect?\n{listed}\nSet guess= to one of these and confidence= to how sure "
        f"you are, from {1 / len(options):.2f} (no idea) to 1 (certain), and run the cell again."
    )


def _refuse(made: dict[str, Any] | None, chosen: str, sure: float) -> None:
    if made is None:
        print("The answer is out already, so this guess isn't recorded. The next one can be!")
    elif (made["guess"], made["confidence"]) == (chosen, sure):
        print(f"{_said(made)}.")
    else:
        print(f"The answer is out, so your guess stays as it was. {_said(made)}.")


def _option(guess: object, options: Sequence[str]) -> str:
    for option in options:
        if str(guess).strip().casefold() == option.strip().casefold():
            return option
    raise PredictionError(
        f"guess={guess!r} is none of the options: {', '.join(map(repr, options))}"
    )


def _probability(confidence: object, n_options: int) -> float:
    least = 1 / n_options
    reach = f"from {least:.2f} (no idea, with {n_options} options) to 1 (certain)"
    if confidence is None:
        raise PredictionError(f"how sure are you? Set confidence= to a number {reach}.")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise PredictionError(f"confidence={confidence!r} is no number; give one {reach}.")
    if not least - 0.01 <= confidence <= 1:  # 0.33 will do for a third
        percent = f" Write {confidence:g} % as {confidence / 100:g}." if confidence > 1 else ""
        raise PredictionError(f"confidence={confidence!r} must be a number {reach}.{percent}")
    return max(float(confidence), least)


def _matching(answer: object, options: Sequence[str]) -> str:
    """The option that an answer is: the same words, or the range that holds the number."""
    if str(answer) in options or not isinstance(answer, int | float):
        return str(answer)
    for option in options:
        bounds = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", option)]
        if len(bounds) == 2 and " to " in option and bounds[0] <= answer < bounds[1]:
            return option
        if len(bounds) == 1 and re.match(r"below|under|less", option) and answer < bounds[0]:
            return option
        if len(bounds) == 1 and re.match(r"above|over|more", option) and answer >= bounds[0]:
            return option
    return str(answer)
