"""``collector check``: is everything in place?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from collector.cli.start import print_json, settings_of
from collector.domain.finding import Finding, Grade
from collector.service.check import Judgement, Readiness, check, judge
from collector.service.exit_code import ExitCode
from collector.service.facts import finding_facts

MARKS = {
    Grade.OK: "[green]ok     [/green]",
    Grade.WARNING: "[yellow]warning[/yellow]",
    Grade.FAILED: "[red]failed [/red]",
}
READINESS = {
    Readiness.READY: "[green]ready[/green]",
    Readiness.READY_WITH_WARNINGS: "[yellow]ready, with warnings[/yellow]",
    Readiness.NOT_READY: "[red]not ready[/red]",
}


def command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check all that a collection needs, down to one message on trial; change nothing.

    Machine, secrets, network, certificate, login, rights, quota, clocks, and whether the
    newest messages look like a journal.  Exit code 0 when ready, with warnings too; 1 when not.
    """
    settings = settings_of(context)
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in check(settings):
        findings.append(finding)
        if not as_json:
            print_finding(console, finding)
    judgement = judge(findings)
    if as_json:
        facts = [finding_facts(each) for each in findings]
        verdict = judgement.verdict.value
        print_json({"verdict": verdict, "todo": list(judgement.todo), "findings": facts})
    else:
        _print_judgement(console, judgement)
    not_ready = judgement.verdict is Readiness.NOT_READY
    raise typer.Exit(ExitCode.LATER if not_ready else ExitCode.DONE)


def print_finding(console: Console, finding: Finding) -> None:
    """Print one finding, and what to do about it."""
    told = f"{finding.name:<14} {finding.subject}: {finding.detail}"
    console.print(f"{MARKS[finding.grade]} {escape(told)}")
    if finding.hint and finding.grade is not Grade.OK:
        console.print(escape(f"        -> {finding.hint}"))


def _print_judgement(console: Console, judgement: Judgement) -> None:
    console.print(f"\n{READINESS[judgement.verdict]}")
    for number, each in enumerate(judgement.todo, 1):
        console.print(escape(f"{number:>3}. {each}"))
