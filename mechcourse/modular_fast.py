"""The training step of a `ModularTransformer`, computing only what the loss at "=" needs.

It gives the same logits, loss and gradients as the plain model, which is the one to read. What it
leaves out, and why it may:

- queries at a and b, and everything after attention there: the loss is at "=" only.
- queries, keys and values of each pair: they depend on a token and its position, so there are
  2p + 1 of each, not 3 for each pair. The query at "=" is the same for all pairs.
- the stream between the layers: without LayerNorm nothing happens there but sums, so what a head
  moves is kept as what it does to the neurons (through `W_O W_in`) and to the logits
  (`W_O W_U`), and the neurons write to the logits at once (`W_out W_U`).
- the product with `W_O W_in` for each pair: a neuron's input is a sum of 8 rows of a table, two
  tokens by four heads, weighted by attention. Looking them up costs a tenth of the arithmetic.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag, pad, softplus

from mechcourse.modular import ModularTransformer

# Rows of as many numbers are looked up several times quicker than those of one more or less.
ALIGNED = 16


@dataclass(frozen=True)
class Tables:
    """What the logits at "=" are made of, once for each token at each position.

    A column is a neuron (its input) or, after those, one of the p answers (what attention writes
    to its logit past the MLP).

    Attributes:
        scores: how much "=" looks at a token at position 0, or at position 1.
        score_of_equals: how much it looks at itself.
        moved: what each head moves from there if it looks nowhere else, less what it moves from
            "=" itself; a row is (position, token, head).
        always: the columns' values if all heads look at "=" only.
        readout: from the neurons to the logits.
    """

    scores: Float[Tensor, "two p head"]
    score_of_equals: Float[Tensor, "head"]
    moved: Float[Tensor, "row column"]
    always: Float[Tensor, "column"]
    readout: Float[Tensor, "d_mlp p"]


def tables(model: ModularTransformer) -> Tables:
    """The tables of a model as it is now; gradients flow through them to all its weights."""
    attn, mlp, W_U = model.blocks[0].attn, model.blocks[0].mlp, model.unembed.W_U
    p, n_heads, d_head = model.config.p, model.config.n_heads, model.config.d_head
    n_idle = -(p + model.config.d_mlp) % ALIGNED
    W_E, W_pos = model.embed.W_E, model.pos_embed.W_pos
    stream, equals = W_E[:p] + W_pos[:2, None], W_E[p] + W_pos[2]  # [two p d_model], [d_model]
    query = equals @ attn.W_Q / d_head**0.5  # [head d_head]
    asked = (attn.W_K @ query[:, :, None])[..., 0]  # [head d_model]
    W_V = attn.W_V.transpose(0, 1).flatten(1)  # [d_model, head * d_head]
    from_equals = equals @ W_V
    values = (stream @ W_V - from_equals).view(2 * p, n_heads, d_head).transpose(0, 1)
    reads = pad(torch.cat([mlp.W_in, W_U], dim=1), (0, n_idle))  # [d_model column]
    writes = attn.W_O @ reads  # [head d_head column]
    biases = pad(torch.cat([mlp.b_in, mlp.b_out @ W_U]), (0, n_idle))
    return Tables(
        scores=stream @ asked.T,
        score_of_equals=asked @ equals,
        moved=(values @ writes).transpose(0, 1).flatten(0, 1),
        always=equals @ reads + from_equals @ writes.flatten(0, 1) + biases,
        readout=mlp.W_out @ W_U,
    )


class FastModel:
    """A `ModularTransformer` on a fixed set of pairs; its gradients go to the model's weights.

    Args:
        pairs: (a, b) in each row; quickest in the order of a.
        answers: of each pair, one of the p numbers.
    """

    def __init__(
        self, model: ModularTransformer, pairs: Int[Tensor, "pair 2"], answers: Int[Tensor, "pair"]
    ) -> None:
        self.model, self.answers = model, answers[:, None]
        p, n_heads = model.config.p, model.config.n_heads
        self.a, self.b = pairs.T.contiguous()
        rows = torch.stack([self.a, p + self.b], dim=1)[..., None] * n_heads
        self.rows = (rows + torch.arange(n_heads)).flatten(1)  # [pair, two heads]
        n_columns = model.config.d_mlp + p
        n_columns += -n_columns % ALIGNED
        self.scratch = model.embed.W_E.new_zeros(len(pairs), n_columns)
        self.found_by = _found_by(self.rows, 2 * p * n_heads)

    def loss(self) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats, to float32's relative precision however small it is."""
        parts = tables(self.model)
        return _Readout.apply(self._sums(parts), parts.readout, self.answers, self.scratch)

    @torch.no_grad()
    def logits(self) -> Float[Tensor, "pair p"]:
        """The logits at "=", without gradients."""
        parts = tables(self.model)
        return _logits(self._sums(parts), parts.readout)

    def _sums(self, parts: Tables) -> Float[Tensor, "pair column"]:
        """What attention brings to each neuron and, past the MLP, to each logit."""
        scores = [
            parts.scores[0].index_select(0, self.a),
            parts.scores[1].index_select(0, self.b),
            parts.score_of_equals.expand(len(self.a), -1),
        ]
        weights = torch.stack(scores, dim=1).softmax(dim=1)[:, :2].flatten(1)
        moved = parts.moved
        sums = embedding_bag(self.rows, moved.detach(), per_sample_weights=weights, mode="sum")
        sums = sums.add_(parts.always)
        return _ToTable.apply(sums, moved, weights.detach(), *self.found_by)


def _found_by(
    rows: Int[Tensor, "pair eight"], n_rows: int
) -> tuple[Int[Tensor, "place"], Int[Tensor, "place"], Int[Tensor, "row"]]:
    """For each row of the table in turn, the places in `rows` that name it.

    Returns:
        The places, counted through the flattened `rows`; their pairs; and where each row's begin.
    """
    places = rows.flatten().sort(stable=True).indices
    counts = rows.flatten().bincount(minlength=n_rows)
    return places, places // rows.shape[1], counts.cumsum(0) - counts


class _ToTable(torch.autograd.Function):
    """Carries the sums' gradient to the table that was looked up; the sums pass unchanged.

    Each row's gradient is itself a weighted sum, over the pairs that looked the row up. PyTorch's
    own backward of `embedding_bag` adds to the rows one pair after another, three times as slow.
    """

    @staticmethod
    def forward(
        ctx: Any, sums: Tensor, table: Tensor, weights: Tensor, *found_by: Tensor
    ) -> Tensor:
        ctx.save_for_backward(weights, *found_by)
        return sums.view_as(sums)

    @staticmethod
    def backward(ctx: Any, d_sums: Tensor) -> tuple[Tensor | None, ...]:
        weights, places, pairs, starts = ctx.saved_tensors
        weights = weights.flatten().index_select(0, places)
        d_table = embedding_bag(pairs, d_sums, starts, per_sample_weights=weights, mode="sum")
        return d_sums, d_table, None, None, None, None


def _logits(
    sums: Float[Tensor, "pair column"], readout: Float[Tensor, "d_mlp p"]
) -> Float[Tensor, "pair p"]:
    """The logits, written over the direct part of the sums; the rest is rectified in place."""
    neurons, direct, _ = sums.tensor_split(_ends(readout), dim=1)
    return direct.addmm_(neurons.relu_(), readout)


def _ends(readout: Float[Tensor, "d_mlp p"]) -> tuple[int, int]:
    """Where the columns of neurons end, and those of logits."""
    d_mlp, p = readout.shape
    return d_mlp, d_mlp + p


class _Readout(torch.autograd.Function):
    """From the sums to the loss, and the gradients with it, in place where that can be.

    A pair's loss is log(1 + sum over wrong answers of exp(logit - logit of the right one)). Written
    so, neither the loss nor a gradient is ever a difference from 1, which float32 would round away
    below 1e-7.
    """

    @staticmethod
    def forward(
        ctx: Any, sums: Tensor, readout: Tensor, answers: Tensor, scratch: Tensor
    ) -> Tensor:
        margins, post = _logits(sums, readout), sums[:, : len(readout)]
        margins.sub_(margins.gather(1, answers)).scatter_(1, answers, -torch.inf)
        highest = margins.amax(dim=1, keepdim=True)
        d_neurons, d_logits, _ = scratch.tensor_split(_ends(readout), dim=1)
        torch.sub(margins, highest, out=d_logits).exp_()
        total = d_logits.sum(dim=1, keepdim=True)
        losses = softplus(total.log() + highest)
        share = (highest - losses).exp() / len(answers)  # exp(margin - loss): the probability
        d_logits.mul_(share).scatter_(1, answers, -total * share)
        torch.mm(d_logits, readout.T, out=d_neurons)
        torch.ops.aten.threshold_backward.grad_input(d_neurons, post, 0, grad_input=d_neurons)
        ctx.save_for_backward(scratch, post.T @ d_logits)
        return losses.mean()

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients found on the way; `d_loss` is 1 in training."""
        d_sums, d_readout = ctx.saved_tensors
        if d_loss != 1:
            d_sums, d_readout = d_loss * d_sums, d_loss * d_readout
        return d_sums, d_readout, None, None
