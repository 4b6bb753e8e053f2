"""The public API as text, from the source: a line for each name, field and method.

Run `python -m tests.extending.public_api` to record an intended change.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import gql_app

FILE: Final = Path(__file__).with_suffix(".txt")
_PARTS: Final[Mapping[str, frozenset[str]]] = {
    "Application": frozenset({"features"}),
    "AuditEvent": frozenset({"id"}),
    "Caller": frozenset({"customer_id", "permissions", "session_id"}),
    "CommittedEvent": frozenset(
        {"actor_id", "at", "customer_id", "fetch_all", "fields", "name", "write"}
    ),
    "Context": frozenset({"caller", "db", "load", "settings_of", "write"}),
    "CreateCustomerInput": frozenset(),
    "Customer": frozenset({"caller", "id", "name"}),
    "CustomerRecord": frozenset({"email", "id", "name", "phone", "roles"}),
    "InviteCustomerInput": frozenset(),
    "LoginPayload": frozenset(),
    "Reader": frozenset({"fetch_all", "fetch_one"}),
    "RegisterInput": frozenset(),
    "Rejected": frozenset({"extensions"}),
    "Session": frozenset({"id"}),
    "Settings": frozenset(),
    "Table": frozenset(),
    "Transaction": frozenset(
        {
            "audit",
            "caller",
            "execute",
            "fetch_all",
            "fetch_one",
            "me",
            "open_session",
            "post",
            "settings_of",
        }
    ),
    "UpdateCustomerInput": frozenset(),
    "UpdateMeInput": frozenset(),
}
"""The public members of classes that builders don't construct; other members may change."""


def described() -> list[str]:
    """Return a line for each public name, and for each of its public members."""
    return [line for name in gql_app.__all__ for line in _lines(name, getattr(gql_app, name))]


def _lines(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 — whatever is public
    if inspect.isclass(value):
        yield f"class {name}"
        parts = _PARTS.get(name)
        for part, line in _members(value).items():
            if parts is None or part in parts:
                yield f"  {name}.{line}"
    elif callable(function := inspect.unwrap(value)) and inspect.isfunction(function):
        yield _signature(_node(function))
    else:
        yield f"{name} = {value}"


def _members(kind: type) -> Mapping[str, str]:
    """Return the public members of a class and of our base classes, by name.

    An assignment counts as one only if a base class declares it.
    """
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith(gql_app.__name__):
            for node in _node(each).body:
                name, line = _member(node)
                if line and (name in found or not isinstance(node, ast.Assign)):
                    found[name] = line
    return found


def _member(node: ast.stmt) -> tuple[str, str]:
    """Return the name and the line of a field or method, an empty line if it is private."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
            return name, ast.unparse(node)
        case ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("_"):
            return name, ast.unparse(node)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if (
            name == "__init__" or not name.startswith("_")
        ):
            return name, _signature(node)
        case _:
            return "", ""


def _signature(node: Any) -> str:  # noqa: ANN401 — a function's, of either kind
    kinds = [ast.unparse(each) for each in node.decorator_list]
    asynchronous = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = ast.unparse(node.returns) if node.returns else "None"
    kind = "".join(f" @{each}" for each in kinds if each in {"property", "classmethod"})
    return f"{node.name}({ast.unparse(node.args)}) -> {asynchronous}{returns}{kind}"


def _node(value: Any) -> Any:  # noqa: ANN401 — a class's or function's
    return ast.parse(dedent(inspect.getsource(value))).body[0]


if __name__ == "__main__":
    FILE.write_text("\n".join(described()) + "\n", encoding="utf-8")
