"""What an installation gets: every package, and the files that lie beside the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def package_of(init: Path) -> str:
    """Return the name of the package whose ``__init__.py`` this is."""
    return ".".join(init.parent.relative_to(ROOT).parts)


def test_every_package_is_installed():
    """The list names each package of the program, the folders of data, and the migrations."""
    found = {package_of(each) for each in (ROOT / "collector").rglob("__init__.py")}
    assert set(SETUPTOOLS["packages"]) == found | {
        *SETUPTOOLS["package-data"],
        "collector.migrations",
    }
    assert SETUPTOOLS["package-dir"] == {"collector.migrations": "migrations"}


def test_every_other_file_is_installed():
    """Each file beside the code that is not Python belongs to a pattern, or to the reader."""
    folders = {name: ROOT.joinpath(*name.split(".")) for name in SETUPTOOLS["package-data"]}
    installed = {
        path
        for name, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in folders[name].glob(pattern)
    }
    beside = {
        path
        for path in (ROOT / "collector").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.stem != "README"
    }
    assert installed == {path for path in beside if not path.name.startswith(".")}


def imported(path: Path) -> set[str]:
    """Return the top names of all modules that a file imports, at any depth of it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def distribution(requirement: str) -> str:
    """Return the normalised name in a requirement (PEP 508, PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def test_what_is_imported_is_required_and_nothing_else():
    """Dependencies and extras are exactly the distributions that the program imports."""
    sources = [*(ROOT / "collector").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    names = set().union(*(imported(path) for path in sources)) - sys.stdlib_module_names
    providers = packages_distributions()
    used = {distribution(providers[name][0]) for name in names - {"collector", "_typeshed"}}
    extras = PROJECT["project"]["optional-dependencies"]
    required = {
        distribution(each) for each in [*PROJECT["project"]["dependencies"], *extras["oauth"]]
    }
    assert used - {"pydantic-core"} == required


def test_the_command_exists():
    """The command that an installation gets leads to a function of the program."""
    module, _, function = PROJECT["project"]["scripts"]["collector"].partition(":")
    assert callable(getattr(import_module(module), function))
