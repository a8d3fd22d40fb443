"""Toy models whose hidden layer has neurons: privileged bases, and computing in superposition.

Two kinds. One copies its sparse inputs, x' = ReLU(h Wᵀ + b) with h = x W or h = ReLU(x W), tied.
The other computes y = |x| of inputs between -1 and 1, y' = ReLU(h W_out + b), h = ReLU(x W_in).
Many instances are trained at once. Source: Elhage et al., Toy Models of Superposition (2022),
"Superposition in a privileged basis" and "Computation in superposition".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.training import Progress

APART = 0xAB5  # keeps a rotation apart from weights that were drawn with the same seed
DEAD = 0.1  # a neuron whose largest weight is smaller does nothing


@dataclass(frozen=True)
class NeuronsConfig:
    """Sizes, data and training of models that are trained together.

    Attributes:
        probabilities: of a feature to be present (1 - S in the paper), one for each instance.
        importance: of each feature; None: 1 for all.
        task: "copy" features between 0 and 1, or the "absolute" values of some between -1 and 1.
        hidden: "relu", so that the basis is privileged, or "linear", so that it is not.
        tied: the read-out is the transpose of the read-in.
        aligned: an untied read-out begins as the sizes of the read-in, so that every neuron that
            an input makes active raises that input's own output. Otherwise it begins at random:
            then about half of the outputs begin below 0 for one sign of their input, and where
            inputs are rare no gradient ever reaches them. (Ours; the paper says of neither.)
        batch: samples in a step.
        seed: of the weights and of the samples.
    """

    n_features: int
    d_hidden: int
    probabilities: tuple[float, ...]
    importance: tuple[float, ...] | None = None
    task: Literal["copy", "absolute"] = "absolute"
    hidden: Literal["relu", "linear"] = "relu"
    tied: bool = False
    aligned: bool = False
    n_steps: int = 5000
    batch: int = 1024
    learning_rate: float = 3e-3
    seed: int = 0

    @property
    def presence(self) -> Float[Tensor, "instance 1"]:
        """The probabilities, to go with samples."""
        return torch.tensor(self.probabilities)[:, None]

    @property
    def weights(self) -> Float[Tensor, "feature"]:
        """The importances as a tensor."""
        return torch.tensor(self.importance or (1.0,) * self.n_features)


class Neurons(NamedTuple):
    """The weights of all instances; in a tied model the read-out is the read-in's transpose."""

    W_in: Float[Tensor, "instance feature hidden"]
    W_out: Float[Tensor, "instance hidden feature"]
    b: Float[Tensor, "instance feature"]
    hidden: str = "relu"

    def one(self, instance: int) -> "Neurons":
        """A single instance, still with an axis for instances."""
        own = slice(instance, instance + 1)
        return Neurons(self.W_in[own], self.W_out[own], self.b[own], self.hidden)


def sparse_inputs(
    n_samples: int,
    presence: Float[Tensor, "instance #feature"],
    n_features: int,
    *,
    signed: bool,
    generator: torch.Generator,
) -> Float[Tensor, "sample instance feature"]:
    """Features that are mostly 0 and, where present, uniform between 0, or -1 if signed, and 1.

    One random number says both: below the probability a feature is present, and where it falls
    there is its value.
    """
    # Laid out with samples along the last axis in memory, which makes the products twice as fast.
    drawn = torch.rand(len(presence), n_features, n_samples, generator=generator).permute(2, 0, 1)
    values = drawn / presence
    present = drawn < presence
    return torch.where(present, 2 * values - 1 if signed else values, 0.0)


def activations(
    x: Float[Tensor, "sample instance feature"], model: Neurons
) -> Float[Tensor, "sample instance hidden"]:
    """What the hidden layer holds: ReLU(x W_in), or x W_in where it is linear."""
    h = torch.einsum("sif,ifh->sih", x, model.W_in)
    return h.relu() if model.hidden == "relu" else h


def outputs(
    x: Float[Tensor, "sample instance feature"], model: Neurons
) -> Float[Tensor, "sample instance feature"]:
    """ReLU(h W_out + b).

    >>> twice = torch.cat([torch.eye(2), -torch.eye(2)], dim=1)[None]
    >>> model = Neurons(twice, twice.abs().mT, torch.zeros(1, 2))
    >>> outputs(torch.tensor([[[-0.5, 0.25]]]), model).tolist()  # ReLU(x) + ReLU(-x)
    [[[0.5, 0.25]]]
    """
    return (torch.einsum("sih,ihf->sif", activations(x, model), model.W_out) + model.b).relu()


def losses(
    x: Float[Tensor, "sample instance feature"],
    model: Neurons,
    importance: Float[Tensor, "feature"],
) -> Float[Tensor, "instance"]:
    """Squared errors times importance, summed over features, mean over samples.

    What is asked for is |x|, which for inputs that are not negative is x.
    """
    error = outputs(x, model) - x.abs()
    return (error.square() * importance).sum(dim=2).mean(dim=0)


def begin(config: NeuronsConfig) -> Neurons:
    """Untrained weights, Xavier normal but for an aligned read-out, and biases of 0."""
    generator = torch.Generator().manual_seed(config.seed)
    shape = len(config.probabilities), config.n_features, config.d_hidden
    spread = (2 / (config.n_features + config.d_hidden)) ** 0.5
    W_in, W_out = (spread * torch.randn(shape, generator=generator) for _ in range(2))
    W_out = W_in if config.tied else W_in.abs() if config.aligned else W_out
    return Neurons(W_in, W_out.mT.contiguous(), torch.zeros(shape[:2]), config.hidden)


def training_steps(
    config: NeuronsConfig, start: Neurons | None = None
) -> Iterator[tuple[int, Neurons, Float[Tensor, "instance"]]]:
    """Train, from `start` or from nothing; after each step its number, weights, losses before it.

    AdamW without weight decay; the learning rate falls to a tenth over the second half. The weights
    change under the hand of whoever holds them: copy what is to be kept.
    """
    model = start or begin(config)
    trained = [model.W_in.clone(), model.b.clone()]
    trained += [] if config.tied else [model.W_out.clone()]
    for weight in trained:
        weight.requires_grad_()
    optimiser = torch.optim.AdamW(trained, config.learning_rate, weight_decay=0, fused=True)
    generator = torch.Generator().manual_seed(config.seed + 1)
    signed = config.task == "absolute"
    for step in range(config.n_steps):
        late = max(0.0, 2 * step / config.n_steps - 1)
        optimiser.param_groups[0]["lr"] = config.learning_rate * (1 - 0.9 * late)
        x = sparse_inputs(
            *(config.batch, config.presence, config.n_features),
            **{"signed": signed, "generator": generator},
        )
        now = _assembled(trained, config)
        of_each = losses(x, now, config.weights)
        optimiser.zero_grad()
        of_each.sum().backward()
        optimiser.step()
        yield step + 1, Neurons(*(part.detach() for part in now[:3]), now.hidden), of_each.detach()


def _assembled(trained: list[Tensor], config: NeuronsConfig) -> Neurons:
    W_in, b = trained[:2]
    W_out = W_in.mT if config.tied else trained[2]
    return Neurons(W_in, W_out, b, config.hidden)


def train(
    config: NeuronsConfig, *, start: Neurons | None = None, progress: Progress | None = None
) -> Neurons:
    """Train all instances; interrupting the kernel ends it early and keeps what was learnt.

    Args:
        start: weights to go on from; by default untrained ones.
    """
    model, step = start or begin(config), 0
    try:
        for step, model, of_each in training_steps(config, start):  # noqa: B007, it is returned
            if progress:
                progress(step, config.n_steps, {"loss": float(of_each.mean())})
    except KeyboardInterrupt:
        print(f"Stopped after {step} of {config.n_steps} steps; the models keep what they learnt.")
    return model


@torch.no_grad()
def evaluate(
    model: Neurons, config: NeuronsConfig, *, n_samples: int = 20_000, seed: int = 10**6
) -> Float[Tensor, "instance"]:
    """Each instance's loss on new samples, the same for all instances of one probability."""
    found = torch.zeros(len(config.probabilities))
    for kind, p in enumerate(sorted(set(config.probabilities))):
        generator = torch.Generator().manual_seed(seed + kind)
        x = sparse_inputs(
            *(n_samples, torch.tensor([[p]]), config.n_features),
            **{"signed": config.task == "absolute", "generator": generator},
        )
        for i, own in enumerate(config.probabilities):
            if own == p:
                found[i] = losses(x, model.one(i), config.weights)
    return found


def best_of(of_each: Float[Tensor, "instance"], config: NeuronsConfig) -> dict[float, int]:
    """For each probability the instance with the least loss."""
    return {
        p: min(
            (i for i, own in enumerate(config.probabilities) if own == p),
            key=lambda i: float(of_each[i]),
        )
        for p in dict.fromkeys(config.probabilities)
    }


def rotated(model: Neurons, seed: int) -> Neurons:
    """Each hidden space turned at random, W_in R and Rᵀ W_out: to a linear layer no change at all.

    With a ReLU in between it is another model, and a worse one.
    """
    generator = torch.Generator().manual_seed(seed ^ APART)
    n_instances, _, d_hidden = model.W_in.shape
    drawn = torch.randn(n_instances, d_hidden, d_hidden, generator=generator).to(model.W_in.dtype)
    q, r = torch.linalg.qr(drawn)
    turn = (
        q * r.diagonal(dim1=1, dim2=2).sign()[:, None]
    )  # with these signs all turns are as likely
    return Neurons(model.W_in @ turn, turn.mT @ model.W_out, model.b, model.hidden)


def features_of_neurons(
    weights: Float[Tensor, "feature hidden"], *, cut: float = 0.3, dead: float = DEAD
) -> Float[Tensor, "hidden"]:
    """How many features each neuron has to do with: 1, it is monosemantic; more, polysemantic.

    Counted are weights of at least `cut` times the neuron's largest, whatever their sign; 0 for a
    neuron without a weight of `dead`. Where inputs are never negative only positive weights make a
    neuron active: give `weights.relu()`. The paper shows weights and counts none; the rule is ours.

    >>> features_of_neurons(torch.tensor([[2.0, 1.0, 0.0], [-0.8, 0.1, 0.0]]))
    tensor([2., 1., 0.])
    """
    sizes = weights.abs()
    largest = sizes.amax(dim=0)
    counts = (sizes >= cut * largest).sum(dim=0).to(weights.dtype)
    return torch.where(largest >= dead, counts, 0.0)


def axis_alignment(weights: Float[Tensor, "feature hidden"]) -> float:
    """How much features keep to single neurons: the mean share of a row's square in its largest.

    Rows count by their square, so that what is not represented does not count. 1: each feature has
    one neuron only. Random directions give about 0.55 in 5 dimensions: compare with `rotated`.

    >>> axis_alignment(torch.tensor([[3.0, 0.0], [0.0, -2.0]]))
    1.0
    """
    squares = weights.square()
    return float(squares.amax(dim=1).sum() / squares.sum())
