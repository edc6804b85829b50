"""Anchored checkpoints against our tree."""

import pytest
from evidence_samples import NOW, ORIGIN, checkpoint_of, root_of, signer_of, sync
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.errors import ConfigError
from collector.domain.evidence import Checkpoint
from collector.domain.finding import Grade
from collector.evidence.anchors import FileAnchor
from collector.evidence.checkpoint import sign_checkpoint
from collector.evidence.comparison import (
    PROBLEMS_SHOWN_MAX,
    compare_anchors,
    read_anchors,
    split_notes,
)
from collector.evidence.note import NOTE_BYTES_MAX

LEAVES = [bytes([number]) for number in range(40)]


def compare(anchored, leaves=LEAVES, keys=None):
    """Compare notes with the tree over ``leaves``; give grade and detail of each finding."""
    head = Checkpoint(ORIGIN, len(leaves), root_of(leaves))
    keys = [signer_of().key] if keys is None else keys
    findings = compare_anchors(anchored, head, lambda size: root_of(leaves[:size]), keys)
    return [(finding.grade, finding.detail) for finding in findings]


def notes_of(*sizes, leaves=LEAVES):
    """Return the anchored notes of a tree at some sizes."""
    return [checkpoint_of(leaves[:size]).raw for size in sizes]


def test_our_own_history_agrees():
    """Every earlier head is a head of the tree we have."""
    expected = (Grade.OK, "6 anchored checkpoints agree, the newest with 40 entries")
    assert compare(notes_of(1, 2, 17, 39, 40, 40)) == [expected]


def test_a_changed_entry_is_a_fork():
    """One entry changed and the tree built anew: every later anchor contradicts."""
    changed = [*LEAVES[:5], b"changed", *LEAVES[6:]]
    assert compare(notes_of(5, 6, 40), leaves=changed) == [
        (Grade.FAILED, "the first 6 entries are not those that were anchored"),
        (Grade.FAILED, "the first 40 entries are not those that were anchored"),
        (Grade.OK, "1 anchored checkpoints agree, the newest with 5 entries"),
    ]


def test_a_removed_and_an_inserted_entry_are_forks():
    """Whatever else stayed as it was."""
    for changed in ([*LEAVES[:5], *LEAVES[6:], b"new"], [*LEAVES[:5], b"new", *LEAVES[5:]]):
        found = compare(notes_of(10), leaves=changed)
        assert found[0] == (Grade.FAILED, "the first 10 entries are not those that were anchored")


def test_an_archive_put_back_from_an_old_copy_is_rolled_back():
    """More entries were anchored than there are."""
    assert compare(notes_of(20, 30), leaves=LEAVES[:20]) == [
        (Grade.FAILED, "30 entries were anchored, the archive has 20: rolled back"),
        (Grade.OK, "1 anchored checkpoints agree, the newest with 20 entries"),
    ]


def test_a_log_built_anew_with_another_key_does_not_agree():
    """The anchored notes carry the old key, which is not the one now in use."""
    found = compare(notes_of(10), keys=[signer_of(seed=2).key])
    assert found == [
        (
            Grade.WARNING,
            "an anchored note is left out: no known key signed this note",
        ),
        (Grade.FAILED, "no anchored checkpoint agrees with this archive"),
    ]


def test_what_nobody_signed_accuses_nobody():
    """Whoever can write the anchor file cannot make up a fork."""
    [raw] = notes_of(10)
    forged = raw.replace(b"\n10\n", b"\n99\n")
    grades = [grade for grade, _detail in compare([forged, raw])]
    assert grades == [Grade.WARNING, Grade.OK]


def test_another_log_is_counted():
    """Several archives may share an anchor file; who signed the others does not matter."""
    other = Checkpoint("another.example/log", 1, root_of(LEAVES[:1]))
    signed = [sign_checkpoint(other, [signer_of(seed=seed)]).raw for seed in (1, 2)]
    others = (Grade.WARNING, "2 anchored checkpoints are of other logs")
    assert compare([*signed, *notes_of(3)]) == [
        others,
        (Grade.OK, "1 anchored checkpoints agree, the newest with 3 entries"),
    ]
    assert compare(signed) == [
        others,
        (Grade.FAILED, "no anchored checkpoint agrees with this archive"),
    ]


def test_an_empty_file_is_no_confirmation():
    """Nothing anchored, nothing confirmed."""
    nothing = [(Grade.FAILED, "no anchored checkpoint agrees with this archive")]
    assert compare([]) == nothing
    assert compare([b"\n", b""]) == nothing


def test_the_empty_tree_may_be_anchored():
    """Size 0 has a root as well (RFC 9162, section 2.1.1)."""
    assert compare(notes_of(0))[0][0] is Grade.OK


def test_a_long_list_of_contradictions_is_cut():
    """The first ones tell the story, the rest is counted."""
    found = compare(notes_of(*range(2, 41)), leaves=LEAVES[:1])
    assert len(found) == PROBLEMS_SHOWN_MAX + 2
    assert found[-2] == (Grade.WARNING, "19 more anchored notes do not agree either")


def test_a_note_cut_off_by_a_crash_spoils_no_other(tmp_path):
    """Cut at every byte: what was anchored before and after is read and agrees."""
    path = tmp_path / "anchors.txt"
    first, second, third = (checkpoint_of(LEAVES[:size]) for size in (1, 2, 3))
    for cut in range(len(second.raw)):
        path.write_bytes(b"\n\n" + first.raw + b"\n\n" + second.raw[:cut])
        FileAnchor(path, sync).publish(third, NOW)
        *torn, summary = compare(read_anchors(path))
        assert {grade for grade, _detail in torn} <= {Grade.WARNING}
        whole_count = 3 if cut == len(second.raw) - 1 else 2  # only its last newline is missing
        newest = f"{whole_count} anchored checkpoints agree, the newest with 3 entries"
        assert summary == (Grade.OK, newest)


def test_pasted_notes_are_read_whatever_their_line_ends():
    """As mail programs save them."""
    raw = b"\r\n".join(b"".join(notes_of(1, 2, 3)).split(b"\n"))
    assert compare(split_notes(raw.splitlines(keepends=True)))[0] == (
        Grade.OK,
        "3 anchored checkpoints agree, the newest with 3 entries",
    )


def test_an_endless_line_is_read_in_pieces(tmp_path):
    """No piece is much longer than a note may be."""
    path = tmp_path / "anchors.txt"
    path.write_bytes(b"x" * (3 * NOTE_BYTES_MAX))
    pieces = list(read_anchors(path))
    assert max(map(len, pieces)) <= 2 * NOTE_BYTES_MAX + 2
    assert sum(piece.count(b"x") for piece in pieces) == 3 * NOTE_BYTES_MAX


@given(st.lists(st.sampled_from([b"\n", b"text\n", "— a b\n".encode(), b"\r\n", b"x"])))
def test_splitting_loses_no_line(lines):
    """Every line with content comes out again, in order."""
    content = [line.strip() for line in lines if line.strip()]
    found = b"".join(split_notes(lines)).split(b"\n")
    assert [line for line in found if line] == content


def test_a_missing_anchor_file_is_a_matter_of_configuration(tmp_path):
    """Whoever asked for it named it wrongly."""
    with pytest.raises(ConfigError, match="anchor file cannot be read"):
        list(read_anchors(tmp_path / "missing"))
