"""The store room: segments of compressed mail on disk, written durably and read back with proof.

Rule: it knows bytes, digests and receipts, never mail, IMAP or the ledger.
README.md tells the life of a blob, FORMAT.md what lies on the disk.
"""
