"""Read and change activations while a model runs, under TransformerLens's names.

A model made of `HookPoint`s lets its activations be captured (`run_with_cache`) or replaced
(`run_with_hooks`). A hook is a function `hook(activation, point)`; what it returns takes the
activation's place, and `None` leaves it as it is.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Hook = Callable[[Tensor, "HookPoint"], Tensor | None]


class HookPoint(nn.Module):
    """A place in a model where its activation can be read or replaced; by itself the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.hooks: list[Hook] = []

    @property
    def active(self) -> bool:
        """Whether anything listens here: what only a listener needs is computed only then."""
        return bool(self.hooks)

    def forward(self, activation: Tensor) -> Tensor:
        for hook in self.hooks:
            replacement = hook(activation, self)
            if replacement is not None:
                activation = replacement
        return activation


class HookedModel(nn.Module):
    """A model whose `HookPoint`s are known by their dotted names, as in TransformerLens."""

    def name_hooks(self) -> None:
        """Give every hook point its name; a subclass calls this at the end of `__init__`."""
        for name, module in self.named_modules():
            if isinstance(module, HookPoint):
                module.name = name

    @property
    def hook_points(self) -> dict[str, HookPoint]:
        """Every hook point by name, in the order in which the model defines them."""
        return {name: m for name, m in self.named_modules() if isinstance(m, HookPoint)}

    @contextmanager
    def hooked(self, hooks: Iterable[tuple[str, Hook]]) -> Iterator[None]:
        """Attach `(name, hook)` pairs, and take exactly those away again afterwards.

        Raises:
            KeyError: no hook point has that name; the message lists those that there are.
        """
        points = self.hook_points
        attached: list[tuple[HookPoint, Hook]] = []
        try:
            for name, hook in hooks:
                if name not in points:
                    raise KeyError(f"no hook point {name!r}; this model has {', '.join(points)}")
                points[name].hooks.append(hook)
                attached.append((points[name], hook))
            yield
        finally:
            for point, hook in attached:
                point.hooks.remove(hook)

    def run_with_hooks(self, *inputs: Tensor, fwd_hooks: Iterable[tuple[str, Hook]]) -> Tensor:
        """Run the model with hooks attached for this one call."""
        with self.hooked(fwd_hooks):
            return self(*inputs)

    def run_with_cache(
        self, *inputs: Tensor, names: Iterable[str] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the model and keep what passes through its hook points.

        Args:
            names: the hook points to keep; by default all of them.

        Returns:
            The model's output, and the activations by hook name (detached from the graph).
        """
        cache: dict[str, Tensor] = {}

        def keep(activation: Tensor, point: HookPoint) -> None:
            cache[point.name] = activation.detach()

        wanted = self.hook_points if names is None else names
        output = self.run_with_hooks(*inputs, fwd_hooks=[(name, keep) for name in wanted])
        return output, cache
