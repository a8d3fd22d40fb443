"""Which module may import which: read from the source, so that no import has to run."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "mechcourse"
ANY = {"*"}
# Keys are modules or folders of mechcourse; a folder may import itself.
MAY_IMPORT = {
    "hooks": set(),
    "progress": set(),
    "boundary": {"architectures"},
    "models": {"hooks"},
    "smeared": {"models"},
    "full_models": {"models", "hooks"},
    "modular": {"hooks"},
    "architectures": {"hooks", "models", "smeared", "full_models", "modular"},
    "hugging_face": {"full_models"},
    "real_models": {"hugging_face", "architectures", "full_models", "models"},
    "data": set(),
    "training": {"architectures", "models", "data"},
    "measures": {"circuits", "training", "models", "data"},
    "trajectories": {"measures", "training", "models"},
    "recipes": {"measures", "training", "full_models", "smeared", "models", "data"},
    "zoo": {"recipes", "trajectories", "measures", "training", "full_models", "models", "data"},
    "circuits": {"models"},
    "modular_fast": {"modular"},
    "modular_tasks": {"modular"},
    "grokking": {"modular_tasks", "modular_fast", "modular", "trajectories", "training"},
    "fourier": {"modular"},
    "measures_modular": {"fourier", "grokking", "modular_tasks", "modular_fast", "modular"},
    "delays": {"grokking", "modular"},
    "modular_zoo": {
        *("zoo", "delays", "measures_modular", "grokking", "modular", "training", "data"),
    },
    "geometry": set(),
    "polytopes": {"geometry"},
    "phase_diagram": set(),
    "exact_loss": {"phase_diagram"},
    "superposition": set(),
    "superposition_samples": {"superposition"},
    "superposition_fast": {"superposition_samples", "superposition"},
    "superposition_training": {
        *("superposition_fast", "superposition_samples", "superposition", "training"),
    },
    "measures_superposition": {"superposition_training", "phase_diagram", "geometry"},
    "superposition_zoo": {
        *("zoo", "measures_superposition", "superposition_training", "superposition"),
        *("training", "data"),
    },
    "sae_zoo": {"sae", "superposition_zoo", "zoo", "training", "data"},
    "sae": {"superposition", "training"},
    "absolute_value": {"training"},
    "neurons_zoo": {"absolute_value", "zoo", "training", "data"},
    "plots": set(),
    "widgets": {
        *("plots", "models", "progress", "circuits", "grokking", "fourier", "modular"),
        *("superposition_zoo", "phase_diagram"),
    },
    "starters": {"progress"},
    "predictions": {"progress", "plots"},
    "notes": {"predictions", "progress"},
    "checks": {"data", "models", "progress", "boundary"},
    "grading": {"checks", "boundary", "models", "hooks"},
    "environment": set(),
    "landing": {"progress"},
    "workspace": {"landing", "progress"},
    "lab": {"environment", "workspace"},
    "doctor": {"environment"},
    "canonical": set(),
    "release": {"environment", "landing"},
    "cli": ANY,
    "__main__": {"cli"},
    "__init__": set(),
}
PICTURES = {"plotly", "ipywidgets", "anywidget"}
# These run before anything is installed.
BARE = {"progress", "environment", "landing", "workspace", "lab", "doctor", "cli", "__main__"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, *, at_run_time: bool = True) -> Iterator[str]:
    """Dotted names that a file imports, inside functions too; not those for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            unseen |= {inner for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            # `from mechcourse import lab` imports a module, `from mechcourse.lab import x` too.
            names = [alias.name for alias in node.names] if node.module == "mechcourse" else [""]
            yield from (f"{node.module}.{name}".rstrip(".") for name in names)


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_arrows(path: Path) -> None:
    module = module_of(path)
    assert module in MAY_IMPORT, f"{module} has no arrows here: say what it may import"
    allowed = MAY_IMPORT[module] | {module}
    for name in imported(path):
        if name.startswith("mechcourse.") and allowed != ANY | {module}:
            assert name.split(".")[1] in allowed, f"{module} may not import {name}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_plots_and_widgets_draw(path: Path) -> None:
    drawn = PICTURES & {name.split(".")[0] for name in imported(path)}
    assert not drawn or module_of(path) in {"plots", "widgets"}


@pytest.mark.parametrize("module", sorted(BARE))
def test_the_launcher_imports_the_standard_library_only(module: str) -> None:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            top = name.split(".")[0]
            assert top == "mechcourse" or top in sys.stdlib_module_names, f"{module}: {name}"


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("mechcourse", {"torch", "numpy"} | PICTURES),
        ("mechcourse.models", PICTURES),
        ("mechcourse.checks", PICTURES),
        ("mechcourse.grading", PICTURES),
    ],
)
def test_importing_stays_light(module: str, without: set[str]) -> None:
    script = f"import sys, {module}; print(*({without!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
