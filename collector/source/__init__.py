"""What is asked of a mail server, and how it is distrusted.

Rule: a message is handed over whole and unchanged or not at all, and nothing is
deleted but what a ``Proof`` names.  This room knows IMAP and no other room; its
library's exceptions do not leave it.
"""
