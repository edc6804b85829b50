"""Every metric that is served, and what it means.

Rule: the manual, the dashboard and the alert rules name these and no others; a test looks.
Names as in Prometheus' own guide: base units, ``_total`` for what only grows.
"""

from __future__ import annotations

QUANTILES = (0.5, 0.95, 1.0)

METRICS = {
    "collector_build_info": "Version of the program; always 1.",
    "collector_ledger_readable": "1: the ledger could be read for this scrape.",
    "collector_scrape_seconds": "Time this scrape took inside the program.",
    "collector_messages_waiting": "Messages the last listing of the mailbox showed.",
    "collector_oldest_waiting_seconds": "Age of the oldest message not yet gone from the mailbox.",
    "collector_messages_collected_total": "Messages archived.",
    "collector_messages_deleted_total": "Messages deleted as we asked, and seen to be gone.",
    "collector_messages_cleared_total": "Messages proven and asked to be deleted, since the start.",
    "collector_messages_quarantined_total": "Messages archived whose envelope was not understood.",
    "collector_messages_set_aside": "Messages the server does not hand over.",
    "collector_messages": "Messages archived, by what became of them in the mailbox.",
    "collector_collected_bytes_total": "Bytes of the messages archived, before compression.",
    "collector_gaps_last_week": "Events of UIDs that nobody accounts for, in the last seven days.",
    "collector_mailbox_failing": "1: the last cycle failed.",
    "collector_last_poll_timestamp_seconds": "When the mailbox was last listed.",
    "collector_last_cycle_timestamp_seconds": "When the last cycle ended, well or not.",
    "collector_last_proof_timestamp_seconds": "When a stored message was last proven.",
    "collector_exposure_seconds": "Time from arrival to proof, of the latest 1,000 proofs.",
    "collector_cycle_duration_seconds": "How long good cycles took, since the start.",
    "collector_cycle_failures_total": "Cycles that failed, by kind, since the start.",
    "collector_throttled_seconds_total": "Pauses that the server asked for, since the start.",
    "collector_archive_entries": "Messages in the archive.",
    "collector_archive_segments": "Segments of the archive.",
    "collector_archive_sealed_segments": "Segments that are sealed.",
    "collector_archive_stored_bytes": "Bytes of all segments on the disk.",
    "collector_archive_ledger_bytes": "Bytes of the ledger on the disk.",
    "collector_archive_free_bytes": "Bytes free on the archive's disk.",
    "collector_sealed_ratio": "What sealed segments take of what they hold.",
    "collector_log_leaves": "Leaves of the log.",
    "collector_checkpoint_leaves": "Leaves that the newest checkpoint is over.",
    "collector_checkpoint_timestamp_seconds": "When the newest checkpoint was written.",
    "collector_stamp_timestamp_seconds": "When an authority last stamped a checkpoint.",
    "collector_alarms": "Alarms that last, by kind and severity.",
    "collector_alarms_lasting": "Alarms that last, by severity; 0 when there are none.",
}

METRICS_OPEN = (
    "whoever reaches this address reads all figures, and the names of mailboxes and folders: "
    "there is no TLS and no login"
)
METRICS_HINT = (
    "listen on 127.0.0.1 with a proxy before it, or let a firewall admit Prometheus alone"
)
