"""The doctor names what is missing with the command that mends it, and fails for lab's needs."""

from pathlib import Path

import pytest

from mechcourse import doctor
from mechcourse.doctor import Finding
from tests.scratch import REPOSITORY


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


def test_every_finding_that_is_not_ok_says_how_to_mend_it(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "pins.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    findings = doctor.examine(tmp_path)
    assert by_name(findings)[".venv"].state == "missing"
    assert by_name(findings)["course/"].state == "missing"
    assert all(finding.mend for finding in findings if finding.state == "missing")


def test_all_that_is_asked_for_is_looked_at() -> None:
    looked_at = by_name(doctor.examine())
    asked = {name for names in doctor.requirements().values() for name in names}
    assert asked <= looked_at.keys()
    assert {"Python", ".venv", "disk", "make", "chromium", "notebook kernel"} <= looked_at.keys()


def test_a_missing_package_stops_lab(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    real = doctor._installed
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name == "plotly" else real(name))
    assert doctor.doctor() == 1
    output = capsys.readouterr().out
    assert "missing  plotly" in output and "mend: make lab" in output
    assert "can't start without" in output and "plotly" in output.splitlines()[-1]


def test_a_missing_test_tool_does_not(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    findings = [
        Finding("Python", "ok", "3.11"),
        Finding("pytest", "missing", "9.2.0 wanted", "make install", needed=False),
    ]
    monkeypatch.setattr(doctor, "examine", lambda root: findings)
    assert doctor.doctor() == 0
    assert "for tests and authors only" in capsys.readouterr().out


def test_another_version_than_pinned_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._installed
    other = {"torch": "2.12.0+cu130", "numpy": "2.4.6"}
    monkeypatch.setattr(doctor, "_installed", lambda name: other.get(name) or real(name))
    torch = by_name(doctor.examine())["torch"]
    assert torch.state == "differs"
    assert "2.12.0+cu130 is installed, 2.13.0 is tested with" in torch.detail
    assert "-c pins.txt torch" in torch.mend


def test_a_build_of_torch_for_some_device_is_as_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: doctor.pins()[name] + "+cu130")
    assert by_name(doctor.examine())["torch"].detail == "as pinned"
