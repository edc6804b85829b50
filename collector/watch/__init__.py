"""Looks at how the archive and its mailboxes stand, and says what a person should know of.

Rule: beside custody and blind to it: nothing in here touches a message, and nothing that
happens in here can hold up or stop the collecting of one.
"""
