"""The steps that made the tables of the ledger; `collector migrate` applies them in order."""
