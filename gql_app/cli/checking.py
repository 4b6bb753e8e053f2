"""`check`: what is not as it should be about a deployment."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from gql_app import settings
from gql_app.cli.console import out, unless_empty
from gql_app.cli.deployment_check import Deployment, Finding, findings
from gql_app.errors import CannotStart


def check(
    host: Annotated[
        str, typer.Option(help="The address that serve listens on.", callback=unless_empty)
    ] = "127.0.0.1",
    machines: Annotated[int, typer.Option(min=1, help="How many machines serve.")] = 1,
    accept: Annotated[
        list[str] | None, typer.Option(help="A finding's code that is so on purpose; repeatable.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Look a deployment over; exit with status 1 if there is something to mend."""
    to_mend = [each for each in _look(host, machines) if each.code not in (accept or ())]
    if as_json:
        sys.stdout.write(json.dumps({"findings": [asdict(each) for each in to_mend]}) + "\n")
    else:
        for each in to_mend:
            out.print(f"{each.code}: {each.message} {each.remedy}", markup=False)
        out.print("Nothing to mend." if not to_mend else f"To mend: {len(to_mend)}.")
    if to_mend:
        sys.exit(1)


def _look(host: str, machines: int) -> list[Finding]:
    """Return the findings, or what keeps the program from starting."""
    try:
        chosen = settings.load(serving=True)
    except CannotStart as why:
        return [Finding("cannot-start", fault, "Mend it first.") for fault in why.faults]
    return asyncio.run(findings(Deployment(chosen, host, machines)))
