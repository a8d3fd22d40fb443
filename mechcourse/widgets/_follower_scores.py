"""What heads do with what followed a token's earlier copies: the numbers, and their words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mechcourse import plots
from mechcourse.models import Transformer

LAST, EVERY, COPIES = "last", "every", "copies"
MEASURES = {
    LAST: "what followed the last copy",
    EVERY: "what followed any copy",
    COPIES: "the copies themselves",
}
PARTS = 4  # the most tokens that one character's bytes may be split over


@dataclass(frozen=True)
class Reading:
    """One text as the model read it."""

    ids: list[int]
    names: list[str]
    copies: Bool[Tensor, "query key"]
    scores: dict[str, Float[Tensor, "layer head query"]]  # attention, by measure

    @classmethod
    def of(
        cls, model: Transformer, ids: list[int], decode: Callable[[list[int]], str]
    ) -> "Reading":
        """Run the model on a text that fits into its context."""
        tokens = torch.tensor(ids)
        points = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
        with torch.no_grad():
            _, cache = model.run_with_cache(tokens[None], names=points)
        copies = earlier_copies(tokens)
        # The patterns of a long text are large: only what is shown of them is kept.
        scores = {
            measure: torch.stack([attention_on(cache[point][0], keys) for point in points])
            for measure, keys in looked_at(copies).items()
        }
        return cls(ids, token_texts(decode, ids), copies, scores)

    @property
    def repeated(self) -> list[int]:
        """The positions whose token came before."""
        return self.copies.any(dim=1).nonzero().flatten().tolist()

    def copies_of(self, pos: int) -> list[int]:
        """Where the token at a position came before."""
        return self.copies[pos].nonzero().flatten().tolist()

    def even(self, pos: int, measure: str) -> float:
        """What attention spread evenly over all that the token can see puts there."""
        n_keys = 1 if measure == LAST else len(self.copies_of(pos))
        return n_keys / (pos + 1)

    def told(self, pos: int, head: str, values: dict[str, float]) -> str:
        """What a head's cell says on hovering: all measures, each beside even attention."""
        lines = [
            f"{what}: {values[measure]:.3f} (even: {self.even(pos, measure):.3f})"
            for measure, what in MEASURES.items()
        ]
        return "<br>".join([f"<b>head {head}</b>, attention on", *lines])

    def where(self, pos: int) -> str:
        """A token with its position."""
        return f"'{plots.visible(self.names[pos])}' at {pos}"

    def sentence(self, pos: int) -> str:
        """The numbers in words."""
        copies = self.copies_of(pos)
        if not copies:
            return (
                f"{self.where(pos)} has no earlier copy here, so nothing has followed one. Choose "
                "a token with a dotted line under it."
            )
        return f"{self._what_followed(pos, copies)} {self._who_looks(pos, copies)}"

    def _what_followed(self, pos: int, copies: Sequence[int]) -> str:
        after, n_copies = copies[-1] + 1, len(copies)
        times = {1: "once", 2: "twice"}.get(n_copies, f"{n_copies} times")
        last = "at" if n_copies == 1 else "last at"
        itself = " (which is the chosen token itself)" if after == pos else ""
        said = f"{self.where(pos)} came {times} before, {last} {copies[-1]}; {self.where(after)} "
        said += f"followed{itself}."
        if pos + 1 < len(self.names):
            same = self.ids[pos + 1] == self.ids[after]
            now = f"'{plots.visible(self.names[pos + 1])}'"
            said += f" This time {now} follows{' again' if same else ' instead'}."
        return said

    def _who_looks(self, pos: int, copies: Sequence[int]) -> str:
        last = self.scores[LAST][:, :, pos]
        layer, head = divmod(int(last.argmax()), last.shape[1])
        on = {measure: float(each[layer, head, pos]) for measure, each in self.scores.items()}
        even = {measure: f"{self.even(pos, measure):.2f}" for measure in MEASURES}
        most = f", the most of all {last.numel()} heads" if last.numel() > 1 else ""
        said = (
            f"Head {layer}.{head} puts {on[LAST]:.2f} of its attention on "
            f"{self.where(copies[-1] + 1)}{most}; even attention would put {even[LAST]}. "
        )
        itself = f"{on[COPIES]:.2f} (even: {even[COPIES]})"
        if len(copies) == 1:
            return f"{said}On the copy itself it puts {itself}."
        every = f"{on[EVERY]:.2f} (even: {even[EVERY]})"
        return (
            f"{said}On what followed all {len(copies)} copies it puts {every}, on the copies "
            f"themselves {itself}."
        )


def earlier_copies(tokens: Int[Tensor, "pos"]) -> Bool[Tensor, "query key"]:
    """Which earlier positions hold the same token."""
    return (tokens[:, None] == tokens[None, :]).tril(-1)


def looked_at(copies: Bool[Tensor, "query key"]) -> dict[str, Bool[Tensor, "query key"]]:
    """The keys of each measure, for every query."""
    followers = torch.nn.functional.pad(copies, (1, 0))[:, :-1]
    this_and_later = followers.flip(1).cumsum(dim=1).flip(1)
    return {LAST: followers & (this_and_later == 1), EVERY: followers, COPIES: copies}


def attention_on(
    pattern: Float[Tensor, "head query key"], keys: Bool[Tensor, "query key"]
) -> Float[Tensor, "head query"]:
    """Each head's attention on all of these keys together, for every query."""
    return (pattern * keys).sum(dim=-1)


def numbers_of(encoded: Any) -> list[int]:
    """The tokens' numbers, whichever kind of tokenizer gave them."""
    return [int(token) for token in getattr(encoded, "ids", encoded)]


def token_texts(decode: Callable[[list[int]], str], ids: Sequence[int]) -> list[str]:
    """The text of each token; parts of one character are numbered, "é[1/2]", "é[2/2]"."""
    texts = [decode([token]) for token in ids]
    start = 0
    while start < len(ids):
        n_parts = _n_parts(decode, ids, texts[start], start)
        if n_parts > 1:
            whole = decode(list(ids[start : start + n_parts]))
            numbered = [f"{whole}[{part}/{n_parts}]" for part in range(1, n_parts + 1)]
            texts[start : start + n_parts] = numbered
        start += n_parts
    return texts


def _n_parts(decode: Callable[[list[int]], str], ids: Sequence[int], first: str, start: int) -> int:
    """Over how many tokens the character is split that begins here; 1 where it is whole."""
    if "\ufffd" in first:
        for n_parts in range(2, min(PARTS, len(ids) - start) + 1):
            if "\ufffd" not in decode(list(ids[start : start + n_parts])):
                return n_parts
    return 1
