"""Dependencies between packages point one way."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import iter_modules

import equiv

ROOT = Path(__file__).resolve().parents[1]
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as run; run()"


def _lint(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT_IMPORTS, "--no-cache", "--config", str(config)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_dependencies_point_one_way() -> None:
    result = _lint(ROOT, ROOT / "pyproject.toml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 kept, 0 broken" in result.stdout


def test_every_module_has_its_layer() -> None:
    """What no layer names, the contract does not look at."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layered = {name.strip() for layer in contracts[0]["layers"] for name in layer.split("|")}
    modules = {f"equiv.{module.name}" for module in iter_modules(equiv.__path__)}
    assert modules - layered == {"equiv.__main__"}


def test_a_dependency_that_points_the_other_way_would_be_noticed(tmp_path: Path) -> None:
    for name in ("low", "high"):
        (tmp_path / "pkg" / name).mkdir(parents=True)
        (tmp_path / "pkg" / name / "__init__.py").write_text("")
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "low" / "__init__.py").write_text("import pkg.high\n")
    config = tmp_path / "setup.cfg"
    config.write_text(
        "[importlinter]\nroot_package = pkg\n[importlinter:contract:1]\nname = x\ntype = layers\n"
        "layers =\n    pkg.high\n    pkg.low\n"
    )
    result = _lint(tmp_path, config)
    assert result.returncode == 1
    assert "0 kept, 1 broken" in result.stdout
