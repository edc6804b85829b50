"""The edge a person touches: one file per command, typer and rich.

Rule: stdout carries results, stderr carries logs and errors.  Commands parse,
call ``service``, print, and return an exit code.
"""
