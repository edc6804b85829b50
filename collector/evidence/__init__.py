"""The evidence room: signed checkpoints, time stamps, anchors outside, proofs to hand out.

Rule: it knows trees only by their sizes and root hashes, and messages only by
their bytes and records; never the ledger, the segments or IMAP.  What it writes
is a public format (C2SP, RFC 3161), what it reads is not believed until checked.
"""
