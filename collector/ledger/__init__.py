"""The ledger: which messages are ours, where they lie, and what became of them in the mailbox."""
