"""Runs scenarios of the Python clients that are generated from the server's schema.

They need an older graphql-core than the server, so they have a separate environment. They generate
code into the working folder; the output has a line of JSON for each scenario.
"""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from inspect import isawaitable
from pathlib import Path
from typing import Any, Final

from ariadne_codegen.main import main as ariadne_codegen
from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.operation import Operation

GIVEN: Final[Mapping[str, str]] = json.load(sys.stdin)
AUTHORISED: Final = {"Authorization": f"Bearer {GIVEN['token']}"}
ANONYMOUS: Final[Mapping[str, str]] = {}
OPERATIONS: Final = """
query ListCustomers($first: Int!) { customers(first: $first) { nodes { id name } } }
mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { status }
}
"""
SETTINGS: Final = f"""
[tool.ariadne-codegen]
remote_schema_url = "{GIVEN["url"]}"
queries_path = "operations.graphql"
"""


class Refused(Exception):
    """The errors of an answer."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.errors: Final = errors


class Sgqlc:
    """sgqlc: types by its two programs, and operations over urllib."""

    def __init__(self) -> None:
        for arguments in (
            ("sgqlc.introspection", GIVEN["url"], "schema.json"),
            ("sgqlc.codegen", "schema", "schema.json", "types_by_sgqlc.py"),
        ):
            program = (sys.executable, "-m", *arguments)
            subprocess.run(program, check=True, stdout=sys.stderr)  # noqa: S603 — of a client
        self._schema = import_module("types_by_sgqlc")

    def list(self, headers: Mapping[str, str] = AUTHORISED) -> int:
        """List customers, whose timestamps are datetimes."""
        operation = Operation(self._schema.Query)
        operation.customers(first=3).nodes().__fields__("id", "name", "created_at")
        nodes = _answer(operation, headers).customers.nodes
        return sum(hasattr(each.created_at, "tzinfo") for each in nodes)

    def sign_in(self) -> str:
        """Sign in."""
        operation = Operation(self._schema.Mutation)
        operation.login(email=GIVEN["email"], password=GIVEN["password"]).status()
        return str(_answer(operation, ANONYMOUS).login.status)

    def refused(self) -> int:
        """List without a token."""
        return self.list(ANONYMOUS)


def _answer(operation: Any, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 — made of names
    """Return the answer to an operation of sgqlc. Raise Refused."""
    answer = HTTPEndpoint(GIVEN["url"], headers)(operation)
    if errors := answer.get("errors"):
        raise Refused(errors)
    return operation + answer


class AriadneCodegen:
    """ariadne-codegen: a package with a method for each operation, over httpx."""

    def __init__(self) -> None:
        Path("pyproject.toml").write_text(SETTINGS, encoding="utf-8")
        Path("operations.graphql").write_text(OPERATIONS, encoding="utf-8")
        with redirect_stdout(sys.stderr):
            ariadne_codegen([], standalone_mode=False)
        self._package = import_module("graphql_client")

    async def list(self, headers: Mapping[str, str] = AUTHORISED) -> int:
        """List customers."""
        async with self._package.Client(url=GIVEN["url"], headers=headers) as client:
            return len((await client.list_customers(first=3)).customers.nodes)

    async def sign_in(self) -> str:
        """Sign in."""
        async with self._package.Client(url=GIVEN["url"]) as client:
            answer = await client.sign_in(GIVEN["email"], GIVEN["password"])
            return str(answer.login.status.value)

    async def refused(self) -> int:
        """List without a token."""
        return await self.list(ANONYMOUS)


async def outcome(work: Callable[[], Any]) -> dict[str, object]:
    """Return the result of a scenario, or the error that its client raises."""
    try:
        came = work()
        return {"data": await came if isawaitable(came) else came}
    except Exception as error:  # noqa: BLE001 — the client's error is the result
        errors = getattr(error, "errors", [])
        told = [each if isinstance(each, dict) else vars(each) for each in errors]
        extensions = told[0]["extensions"] if told else None
        return {"failure": {"message": str(error), "extensions": extensions}}


def main() -> None:
    """Run every scenario of every client, in the folder that this runs in."""
    sys.path.insert(0, "")
    logging.disable()
    for name, client in {"sgqlc": Sgqlc(), "ariadne-codegen": AriadneCodegen()}.items():
        for scenario in ("list", "sign_in", "refused"):
            came = asyncio.run(outcome(getattr(client, scenario)))
            told = {"client": name, "scenario": scenario, **came}
            print(json.dumps(told))  # noqa: T201 — what it is for


if __name__ == "__main__":
    main()
