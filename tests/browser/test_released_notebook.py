"""The released notebook as a learner takes it: in their own copy, in JupyterLab, in a browser."""

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from mechcourse import workspace

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.browser

CHAPTER, NAME = "ch01_attention", "1_residual_stream"

UNSCALED = """
def attention_pattern(q, k):
    scores = einsum(q, k, "b i h d, b j h d -> b h i j")
    n = scores.shape[-1]
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -torch.inf).softmax(dim=-1)
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    workspace.prepare(ROOT / "course", tmp_path / "work")
    return tmp_path / "work"


def solution(grade_id: str) -> str:
    source = nbformat.read(ROOT / "solutions" / CHAPTER / f"{NAME}.ipynb", as_version=4)
    return next(cell.source for cell in source.cells if cell.id == grade_id)


def test_a_learner_is_told_what_is_wrong_and_then_that_it_is_right(
    work: Path, lab: Callable[[Path], str], page: Page, open_notebook: Callable
) -> None:
    notebook = open_notebook(lab(work), f"{CHAPTER}/{NAME}.ipynb")
    notebook.run("import math")
    check, answer = "check_attention_pattern(attention_pattern)", "def attention_pattern("
    notebook.run(answer)
    assert "attention_pattern is not attempted yet" in notebook.run(check)

    notebook.replace(answer, UNSCALED)
    notebook.run(answer)
    said = notebook.run(check)
    assert "the scores were not divided by sqrt(d_head)" in said
    assert "Expected" in said and "Got" in said
    assert "Traceback" not in said

    notebook.replace(answer, solution("attention_pattern"))
    notebook.run(answer)
    said = notebook.run(check)
    assert said.strip().startswith("attention_pattern is correct. What was held:")

    record = (work / ".mechcourse" / "checks.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["status"] for line in record] == ["not attempted", "wrong", "correct"]


def test_a_learner_guesses_looks_at_real_heads_and_moves_the_explorer(
    work: Path, lab: Callable[[Path], str], page: Page, open_notebook: Callable
) -> None:
    notebook = open_notebook(lab(work), f"{CHAPTER}/{NAME}.ipynb")
    for cell in ("import math", "from mechcourse import plots, zoo", "SNIPPET = "):
        notebook.run(cell)
    predict = '"previous_token_layer",\n    ["layer 0"'
    options = '["layer 0", "layer 1"], guess="layer 0", confidence=0.8'
    source = f'predict("previous_token_layer", {options})'
    notebook.replace(predict, source)
    assert "Noted" in notebook.run(source)

    loading = "two_layers = zoo.train_or_load("
    notebook.replace(loading, 'two_layers = zoo.load("code-2l")')
    notebook.run('two_layers = zoo.load("code-2l")')
    exercises = ("queries_keys_values", "attention_pattern")
    for exercise in exercises:
        notebook.run(f"def {exercise}(")
    picture = "if written(queries_keys_values, attention_pattern)"
    assert "waits for queries_keys_values and attention_pattern" in notebook.run(picture)
    for exercise in exercises:
        notebook.replace(f"def {exercise}(", solution(exercise))
        notebook.run(f"def {exercise}(")
    notebook.run(picture)
    panels = notebook.cell(picture)
    expect(panels.locator(".js-plotly-plot").first).to_contain_text("head 3")

    notebook.run("attention_explorer(\n")
    explorer = notebook.cell("attention_explorer(\n")
    expect(explorer.locator(".js-plotly-plot").first).to_contain_text("Layer 0, head 0")
    explorer.get_by_label("Layer", exact=True).select_option("1")
    expect(explorer.locator(".js-plotly-plot").first).to_contain_text("Layer 1, head 0")
