"""``collector check``: is everything in place?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from collector.cli.start import print_json, settings_of
from collector.domain.finding import Finding, Grade
from collector.service.check import check
from collector.service.exit_code import ExitCode
from collector.service.facts import finding_facts

MARKS = {
    Grade.OK: "[green]ok     [/green]",
    Grade.WARNING: "[yellow]warning[/yellow]",
    Grade.FAILED: "[red]failed [/red]",
}


def command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check configuration, login, rights, UIDPLUS, quota, disk and clock; change nothing."""
    settings = settings_of(context)
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in check(settings):
        findings.append(finding)
        if not as_json:
            print_finding(console, finding)
    failed = any(each.grade is Grade.FAILED for each in findings)
    if as_json:
        worst = "failed" if failed else _worst(findings)
        print_json({"verdict": worst, "findings": [finding_facts(each) for each in findings]})
    raise typer.Exit(ExitCode.LATER if failed else ExitCode.DONE)


def _worst(findings: list[Finding]) -> str:
    warned = any(each.grade is Grade.WARNING for each in findings)
    return Grade.WARNING.value if warned else Grade.OK.value


def print_finding(console: Console, finding: Finding) -> None:
    """Print one finding, and what to do about it."""
    told = f"{finding.name:<14} {finding.subject}: {finding.detail}"
    console.print(f"{MARKS[finding.grade]} {escape(told)}")
    if finding.hint and finding.grade is not Grade.OK:
        console.print(escape(f"        -> {finding.hint}"))
