"""The two laws of the house as data, and how a breach of them is found."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parent.parent
PACKAGE = "gql_app"

Floors = Sequence[tuple[str, ...]]
"""From the top down. What stands on one floor does not see its neighbours."""

HOUSE: Floors = (
    ("main",),
    ("cli",),
    ("deployment",),
    ("demo",),
    ("app",),
    ("chores", "web"),
    ("schema",),
    ("resources",),
    ("accounts", "tracing"),
    ("db", "mail"),
    ("metrics",),
    ("security", "settings"),
    ("errors", "logs"),
    ("lib",),
    ("addresses", "clock", "text", "unblocked"),
)
INSIDE: Mapping[str, Floors] = {
    "accounts": (
        ("authority",),
        ("credentials", "presumed", "refresh", "resets"),
        ("callers", "samples"),
        ("failures", "sessions"),
        ("backfill", "customers", "exports", "imports", "outbox"),
        ("customer_lists",),
        ("guesses",),
        ("audit", "checks", "known_clients", "letters", "throttle"),
        ("lines", "limits"),
        ("identity", "paging"),
        ("counts", "cursors", "walks"),
        ("shapes",),
        ("records",),
    ),
    "schema": (
        ("execution", "root"),
        ("administration", "audit", "fastpath", "resets", "tokens"),
        ("admission", "profile"),
        ("credentials", "customer_lists"),
        ("customers",),
        ("sessions",),
        ("faults", "limits"),
        ("documents", "patience", "payloads", "paging", "scalars", "sums", "validation"),
        ("asked", "permissions"),
        ("context",),
    ),
}
"""The order inside a room; in any other room it is enough that there are no circles."""

HOMES: Mapping[str, tuple[str, ...]] = {
    "alembic": ("cli", "db.migrations"),
    "argon2": ("security",),
    "asyncpg": ("db",),
    "bcrypt": ("security",),
    "cryptography": ("security",),
    "email_validator": ("accounts.checks",),
    "graphql": ("schema", "web.graphql"),
    "httptools": ("lib.server",),
    "idna": ("accounts.identity", "mail"),
    "jwt": ("security",),
    "opentelemetry": ("db.traced", "tracing", "web.tracing"),
    "orjson": ("accounts.cursors", "db.questions", "logs", "web.graphql"),
    "prometheus_client": ("metrics",),
    "pydantic": ("settings",),
    "pydantic_settings": ("settings",),
    "rich": ("cli",),
    "aiosmtplib": ("mail",),
    "sqlalchemy": ("db", "accounts"),
    "stamina": ("db",),
    "starlette": ("web", "app"),
    "strawberry": ("schema", "web.playground"),
    "structlog": (
        "accounts.audit",
        "chores",
        "logs",
        "mail",
        "schema.faults",
        "security.pickup",
        "web.middleware",
        "web.playground",
        "web.tracing",
    ),
    "typer": ("cli",),
    "uvicorn": ("lib.server",),
    "zxcvbn": ("security",),
}
"""Where a library may be imported; one that is not named here, nowhere."""


NORMALISING: Final = "text"
"""The one module that normalises Unicode, whose time grows with the square of a hostile text."""
_NORMAL_FORMS: Final = frozenset({"normalize", "is_normalized", "ucd_3_2_0"})


def name_of(file: Path) -> str:
    """Name a module as the laws do, without the package's name."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    inside = parts[1:] if parts[0] == PACKAGE else parts
    return ".".join(part for part in inside if part != "__init__")


FILES = [ROOT / "main.py", *sorted((ROOT / PACKAGE).rglob("*.py"))]
MODULES = {name_of(file): file.read_text(encoding="utf-8") for file in FILES}


def imported(source: str) -> Iterator[str]:
    """Name all that a module imports, anywhere in it: ours without the package's name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{PACKAGE}.") for name in names)


def breaches(module: str, source: str) -> list[str]:
    """Tell every import that breaks a law."""
    return [name for name in imported(source) if climbs(module, name) or strays(module, name)]


def climbs(module: str, name: str) -> bool:
    """Tell whether an import goes up, or sideways."""
    mine, its = module.split(".")[:2], name.split(".")[:2]
    if not stands(HOUSE, its[0]):
        return False
    if mine[0] != its[0]:
        return height(HOUSE, its[0]) >= height(HOUSE, mine[0])
    floors = INSIDE.get(mine[0])
    return (
        floors is not None and mine != its and height(floors, its[-1]) >= height(floors, mine[-1])
    )


def strays(module: str, name: str) -> bool:
    """Tell whether an import is of a library that has its home elsewhere, or none."""
    library = name.partition(".")[0]
    if stands(HOUSE, library) or name == "__version__":
        return False
    homes = HOMES.get(library)
    if homes is None:
        return library not in sys.stdlib_module_names
    return not any(f"{module}.".startswith(f"{home}.") for home in homes)


def stands(floors: Floors, room: str) -> bool:
    """Tell whether a room has its place."""
    return any(room in floor for floor in floors)


def height(floors: Floors, room: str) -> int:
    """Tell how many floors are below a room."""
    return next(below for below, floor in enumerate(reversed(floors)) if room in floor)


def normalises(source: str) -> bool:
    """Tell whether a module brings text to a normal form itself, by whatever name."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in _NORMAL_FORMS)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "unicodedata"
            and any(alias.name in {*_NORMAL_FORMS, "*"} for alias in node.names)
        )
        for node in ast.walk(ast.parse(source))
    )


def circle(modules: Mapping[str, str]) -> list[str]:
    """Find modules that import each other in a circle; none is an empty list."""
    graph = {
        module: {name for name in whole_names(modules, source) if name != module}
        for module, source in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def whole_names(modules: Mapping[str, str], source: str) -> Iterator[str]:
    """Name the modules that are imported from, not what is taken out of them."""
    for name in imported(source):
        yield from (each for each in (name, name.rpartition(".")[0]) if each in modules)


def says_what_it_is_for(source: str) -> bool:
    """Tell whether a module begins with one line, and more only after an empty one."""
    first, *rest = (ast.get_docstring(ast.parse(source)) or "").splitlines() or [""]
    return first.endswith(".") and (not rest or not rest[0])
