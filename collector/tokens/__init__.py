"""Access tokens for mailboxes, from those who issue them (imap reference, 3).

Rule: the only room that knows msal and google-auth; both are an extra and are imported
when a token is asked for.  Tokens, secrets and keys are in no error and in no log.
"""
