"""The set-up guides, English and German, against each other and against the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_docs import FENCE, commands_in, text_of, unknown_in

from collector.config import MailboxSettings, load

DOCS = Path(__file__).resolve().parent.parent / "docs"
ENGLISH, GERMAN = DOCS / "guides", DOCS / "leitfaden"
BOTH = sorted([*ENGLISH.glob("*.md"), *GERMAN.glob("*.md")])
NAMES = sorted(path.name for path in ENGLISH.glob("*.md"))
SYSTEMS = [name for name in NAMES if name not in {"README.md", "acceptance-test.md"}]
ARCHIVE = '[archive]\npath = "archive"\n'
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
COMMENT = re.compile(r"(?:^|\s)\s*# .*$", re.MULTILINE)
CLAIMS = ("tamper-proof", "gobd-certified", "gobd-zertifiziert", "rechtssicher", "revisionssicher")


def name_of(path: Path) -> str:
    """Return a guide's folder and name."""
    return f"{path.parent.name}/{path.name}"


def headings_of(path: Path) -> list[tuple[int, str]]:
    """Return level and text of every heading; what stands in code is none."""
    return [(len(marks), text) for marks, text in HEADING.findall(FENCE.sub("", text_of(path)))]


def blocks_of(path: Path) -> list[tuple[str, str]]:
    """Return language and text of every code block, without its comments."""
    return [(language, COMMENT.sub("", block)) for language, block in FENCE.findall(text_of(path))]


def mailboxes_of(path: Path, folder: Path) -> list[tuple[MailboxSettings, ...]]:
    """Load every configuration that a guide shows, below an ``[archive]``."""
    loaded = []
    for language, block in FENCE.findall(text_of(path)):
        if language == "toml":
            file = folder / "collector.toml"
            file.write_text(ARCHIVE + block, encoding="utf-8")
            loaded.append(load(file).mailboxes)
    return loaded


def slug(heading: str) -> str:
    """Return the anchor of a heading as GitHub and GitLab make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_both_languages_have_the_same_guides():
    """Every guide is there in English and in German, under the same name."""
    assert sorted(path.name for path in GERMAN.glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_headings(name):
    """A guide and its counterpart have the same levels of headings in the same order."""
    english, german = headings_of(ENGLISH / name), headings_of(GERMAN / name)
    assert [level for level, _ in english] == [level for level, _ in german]


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_show_the_same_commands(name):
    """Commands and files to copy are the same in both languages, but for comments."""
    assert blocks_of(ENGLISH / name) == blocks_of(GERMAN / name)


@pytest.mark.parametrize("folder", [ENGLISH, GERMAN], ids=lambda folder: folder.name)
def test_all_guides_are_built_alike(folder):
    """The guides of one language have the same sections; the index names every guide."""
    first, *others = [headings_of(folder / name)[1:] for name in SYSTEMS]
    assert all(sections == first for sections in others)
    index = text_of(folder / "README.md")
    assert [name for name in SYSTEMS if f"]({name})" not in index] == []


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_a_guide_is_short(path):
    """Nobody reads more than 150 lines before the first mail; less than 60 leaves out traps."""
    assert 60 <= len(text_of(path).splitlines()) <= 150


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_configuration_loads(name, tmp_path):
    """Each guide shows a configuration, each of them loads, and both languages mean the same."""
    english = mailboxes_of(ENGLISH / name, tmp_path)
    assert english
    assert english == mailboxes_of(GERMAN / name, tmp_path)


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_every_command_exists(path):
    """Every ``collector ...`` in a guide is a command of the program with its options."""
    commands = list(commands_in(path, "collector"))
    assert commands
    assert [each for each in commands if unknown_in(each)] == []


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_anchors_lead_to_headings(path):
    """Every link to a section leads to a heading of that guide."""
    for target, anchor in ANCHOR.findall(text_of(path)):
        guide = path.parent / target if target else path
        assert anchor in {slug(text) for _, text in headings_of(guide)}


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_a_guide_claims_nothing_it_cannot_keep(path):
    """Words that promise what no program can promise stand in no guide."""
    text = text_of(path).lower()
    assert [claim for claim in CLAIMS if claim in text] == []
