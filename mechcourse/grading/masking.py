"""The copy of the package that a grading worker gets: without checks, and without what is taught.

What a notebook teaches is taken out of the source itself, so that neither calling a function nor
reading it helps. The copy is rewritten from its syntax tree: comments don't come along either.
"""

import ast
import shutil
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# Modules that answers may build on. A new module is absent from the worker until it is named here.
SHARED = (
    *("hooks", "models", "smeared", "full_models", "architectures"),
    *("hugging_face", "real_models"),
    *("data", "training", "zoo", "recipes", "measures", "trajectories"),
    *("modular", "modular_fast", "modular_tasks", "grokking", "delays"),
    *("measures_modular", "modular_zoo"),
    *("circuits", "fourier", "geometry", "polytopes", "phase_diagram", "exact_loss"),
    *("superposition", "superposition_samples", "superposition_fast", "superposition_training"),
    *("measures_superposition", "superposition_zoo", "sae", "sae_zoo", "absolute_value"),
    "neurons_zoo",
)
# What the worker itself runs on.
WORKER = ("boundary.py", "grading/codec.py", "grading/worker.py")
# Imported for plots, predictions and checks, none of which count here: whatever is taken from
# these modules does nothing.
INERT = ("plots", "widgets", "progress", "predictions", "notes", "starters", "checks")

_INERT_SOURCE = '''"""Stands in for a module that grading does without: what it gives is idle."""


from importlib import import_module


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return import_module(f"{__name__}.{name}")
    except ImportError:
        return lambda *args, **kwargs: None
'''


class MaskingError(Exception):
    """A name in a notebook's `teaches` list that the package does not define."""


def write_package(root: Path, teaches: tuple[str, ...]) -> None:
    """Write the worker's `mechcourse` into a folder.

    Args:
        root: the folder that goes on the worker's path; made if missing.
        teaches: dotted names that must not be in the copy, "mechcourse.models.Attention.forward".

    Raises:
        MaskingError: no module of the copy defines such a name.
    """
    for name, source in _sources(teaches).items():
        target = root / "mechcourse" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")
    # A copy, not a link: the link would lead to the checks beside the real folder.
    shutil.copytree(PACKAGE / "assets", root / "mechcourse" / "assets", dirs_exist_ok=True)


@lru_cache
def _sources(teaches: tuple[str, ...]) -> dict[str, str]:
    """The copy's files by their path in the package."""
    sources = {"__init__.py": "", "grading/__init__.py": ""}
    for name in INERT:
        sources |= dict.fromkeys(_module_files(name), _INERT_SOURCE)
    for name in WORKER:
        sources[name] = (PACKAGE / name).read_text(encoding="utf-8")
    trees = {name: _tree(name) for name in SHARED if (PACKAGE / f"{name}.py").exists()}
    for dotted in teaches:
        package, _, rest = dotted.partition(".")
        module, _, inside = rest.partition(".")
        if package != "mechcourse" or module not in trees or not inside:
            raise MaskingError(f"{dotted} is in no module that the grading worker has")
        _remove(trees[module], inside.split("."), dotted)
    return sources | {f"{name}.py": ast.unparse(tree) for name, tree in trees.items()}


def _module_files(name: str) -> list[str]:
    """The files of a module or package, relative to ours; an absent one counts as one file."""
    folder = PACKAGE / name
    if not folder.is_dir():
        return [f"{name}.py"]
    return [path.relative_to(PACKAGE).as_posix() for path in sorted(folder.rglob("*.py"))]


def _tree(name: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))


def _remove(scope: ast.Module | ast.ClassDef, path: list[str], dotted: str) -> None:
    """Replace a function, method or class by one that refuses."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    found = [node for node in scope.body if isinstance(node, kinds) and node.name == path[0]]
    if not found:
        raise MaskingError(f"{dotted} is not defined there; name the class that defines it")
    for node in found:  # more than one: overloads, or a property and its setter
        if len(path) > 1:
            _remove(node, path[1:], dotted)
        else:
            scope.body[scope.body.index(node)] = _refusal(node, dotted)


def _refusal(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, dotted: str) -> ast.stmt:
    refuse = ast.parse(
        f"def {node.name}(*_args, **_kwargs):\n"
        "    from mechcourse.boundary import TaughtHere\n"
        f"    raise TaughtHere({dotted!r})"
    ).body[0]
    kept = {"property", "staticmethod", "classmethod"}
    refuse.decorator_list = [
        mark for mark in node.decorator_list if isinstance(mark, ast.Name) and mark.id in kept
    ]
    return refuse
