"""What the documents say about the program, checked against the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from collector.cli.main import app
from collector.config.settings import SECTIONS, ConfigFile
from collector.service.exit_code import ExitCode
from collector.telemetry import EVENTS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "collector").rglob("*.md")),
]
PROGRAM = typer.main.get_command(app)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#:]+)\)")
EXIT_CODE = re.compile(r"(\d) ([^·]+)")


def name_of(path: Path) -> str:
    """Return a document's path in the project."""
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    """Return a document's text."""
    return path.read_text(encoding="utf-8")


def commands_in(path: Path, program: str) -> Iterator[list[str]]:
    """Yield the arguments of every command line of ``program`` in a document."""
    text = text_of(path)
    lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    lines += SPAN.findall(FENCE.sub("", text))
    for line in lines:
        words = line.split("#")[0].split()
        if len(words) > 1 and words[0] == program:
            yield shlex.split(line, comments=True)[1:]


def unknown_in(arguments: list[str]) -> list[str]:
    """Return what the program does not know in a command line: the command, or options."""
    words = [each.partition("=")[0] for each in arguments]
    options = {name for each in PROGRAM.params for name in each.opts}
    while words and words[0].startswith("-"):  # --config FILE COMMAND
        option = words.pop(0)
        if option not in {*options, *PROGRAM.get_help_option_names(click.Context(PROGRAM))}:
            return [option]
        words = words[1:] if option in {"--config", "--as", "--reason"} else words
    if not words:
        return []
    command = PROGRAM.commands.get(words[0])
    if command is None:
        return [words[0]]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return [word for word in words[1:] if word.startswith("-") and word not in {*known, "--help"}]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_documents_mention_only_commands_that_exist(document):
    """Every ``collector ...`` in a document is a command of the program with its options."""
    for arguments in commands_in(document, "collector"):
        assert unknown_in(arguments) == [], f"collector {' '.join(arguments)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_documents_mention_only_targets_that_exist(document):
    """Every ``make ...`` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    for arguments in commands_in(document, "make"):
        assert {each for each in arguments if "=" not in each} <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    """Every relative link in a document leads to a file of the project."""
    targets = LINK.findall(text_of(document))
    assert [each for each in targets if not (document.parent / each).exists()] == []


def test_the_check_notices_what_does_not_exist():
    """An unknown command, an unknown option and an option of another command are found."""
    assert unknown_in(["colect"]) == ["colect"]
    assert unknown_in(["--konfig", "x", "run"]) == ["--konfig"]
    assert unknown_in(["verify", "--sample", "3", "--raw"]) == ["--raw"]
    assert unknown_in(["--config", "x", "show", "1", "--raw"]) == []


def test_the_table_of_commands_is_the_program():
    """The README's table lists the commands of the program, each once, in its order."""
    rows = re.findall(r"^\| `collector ([a-z-]+)` \|", text_of(ROOT / "README.md"), re.MULTILINE)
    assert rows == list(PROGRAM.commands)


@pytest.mark.parametrize("source", ["README.md", "help"])
def test_the_exit_codes_are_the_program(source):
    """README and help explain exactly the exit codes there are."""
    text = PROGRAM.epilog or "" if source == "help" else text_of(ROOT / source)
    (line,) = re.findall(r"^Exit codes: (.*)$", text, re.MULTILINE)
    assert [int(code) for code, _ in EXIT_CODE.findall(line)] == list(ExitCode)


def test_every_command_and_option_is_explained():
    """``--help`` of each command has a sentence, and one for each option and argument."""
    silent = [
        f"{name} {each.name}"
        for name, command in PROGRAM.commands.items()
        for each in command.params
        if not getattr(each, "help", None)
    ]
    assert silent == []
    assert [name for name, command in PROGRAM.commands.items() if not command.help] == []


def test_the_manual_lists_every_event():
    """The manual's tables of events are the table of the program."""
    rows = re.findall(r"^\| (`[a-z]+\.[a-z_]+`(?:, `[a-z]+\.[a-z_]+`)*) \|", manual(), re.MULTILINE)
    listed = [name for row in rows for name in SPAN.findall(row)]
    assert sorted(listed) == list(EVENTS)


def manual() -> str:
    """Return the administrator's manual."""
    return text_of(ROOT / "docs" / "operation.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_in_documents_exist(document):
    """Every ``key = value`` that a document shows is a key of the configuration."""
    known = {
        field.alias or name
        for section in (ConfigFile, *SECTIONS.values())
        for name, field in section.model_fields.items()
    }
    blocks = "\n".join(
        block for language, block in FENCE.findall(text_of(document)) if language == "toml"
    )
    shown = re.findall(r"^#? ?(\w+) = ", blocks, re.MULTILINE)
    shown += [each.partition(" = ")[0] for each in SPAN.findall(text_of(document)) if " = " in each]
    assert {key for key in shown if key.isidentifier()} <= known
