"""Notices what a person should know of, beside custody."""
