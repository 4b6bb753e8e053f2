"""The rules of the code's structure as data, and the checks that find breaches."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parent.parent
PACKAGE = "gql_app"

Floors = Sequence[tuple[str, ...]]
"""Layers of folders from the top down; those in one layer don't import each other."""

HOUSE: Floors = (
    ("main",),
    ("",),
    ("cli",),
    ("app",),
    ("extending",),
    ("background", "web"),
    ("schema",),
    ("resources",),
    ("factors", "mail"),
    ("accounts",),
    ("db", "verify"),
    ("security",),
    ("metrics", "settings"),
    ("errors",),
)
"""The order of imports. A file belongs to its folder's layer; "" is the package's own module."""
MACHINERY: Final = "lib"
"""The folder that every module may import, and that imports nothing else of ours."""

BESIDE_THE_CORE: Final = (
    *("main", "cli", "db.migrations", "extending", "features", "lib", "verify"),
    *("factors", "mail", "schema.factors", "schema.mail"),
)
"""Folders outside of the core, which one reads only to work on them."""
CEILING: Final = (65, 10_200)
"""The most files of the core, and the most lines: what can be read in a day."""
LONGEST_FILE: Final = 400
"""The most lines of a file."""

HOMES: Mapping[str, tuple[str, ...]] = {
    "aiosmtplib": ("lib.outbox",),
    "alembic": ("cli", "db.migrations"),
    "argon2": ("lib.hashes", "security.passwords"),
    "asyncpg": ("lib.database",),
    "bcrypt": ("lib.hashes",),
    "cryptography": ("lib.encryption", "lib.keyring", "lib.one_time_codes"),
    "email_validator": ("lib.text",),
    "graphql": ("lib.engine", "lib.graphql_http", "schema"),
    "httptools": ("lib.server",),
    "idna": ("lib.text",),
    "isal": ("lib.compression",),
    "jinja2": ("lib.mail_templates",),
    "jwt": ("lib.keyring",),
    "opentelemetry": ("lib.telemetry",),
    "orjson": ("lib.database", "lib.graphql_http", "lib.pagination", "lib.telemetry"),
    "prometheus_client": ("lib.telemetry",),
    "pydantic": ("extending.settings", "lib.setting_types", "settings"),
    "pydantic_settings": ("settings",),
    "rich": ("cli",),
    "segno": ("lib.one_time_codes",),
    "sqlalchemy": (
        "accounts",
        "cli",
        "db",
        "extending",
        "factors",
        "mail",
        "lib.database",
        "lib.nodes",
        "lib.outbox",
        "lib.pagination",
        "lib.standby",
        "lib.throttling",
    ),
    "stamina": ("lib.database",),
    "starlette": (
        "app",
        "cli.serve",
        "extending",
        "lib.cors",
        "lib.graphql_http",
        "lib.hosts",
        "lib.server",
        "lib.static_files",
        "lib.telemetry",
        "web",
    ),
    "strawberry": ("extending", "lib.composition", "lib.engine", "schema", "web.playground"),
    "structlog": ("lib.telemetry",),
    "typer": ("cli",),
    "uvicorn": ("lib.server",),
    "webauthn": ("lib.passkeys",),
    "zxcvbn": ("lib.keyring",),
}
"""The modules that may import each library; a library that is not listed may not be imported."""


NORMALISING: Final = "lib.text"
"""The only module that normalises Unicode, which takes quadratic time for hostile texts."""
_NORMAL_FORMS: Final = frozenset({"normalize", "is_normalized", "ucd_3_2_0"})


def name_of(file: Path) -> str:
    """Return the name of a module without the package's name."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    inside = parts[1:] if parts[0] == PACKAGE else parts
    return ".".join(part for part in inside if part != "__init__")


FILES = [ROOT / "main.py", *sorted((ROOT / PACKAGE).rglob("*.py"))]
MODULES = {name_of(file): file.read_text(encoding="utf-8") for file in FILES}


@cache
def parsed(source: str) -> ast.Module:
    """Return a module's syntax tree, which all checks share."""
    return ast.parse(source)


def imported(source: str) -> Iterator[str]:
    """Yield all names that a module imports, anywhere in it: ours without the package's name."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{PACKAGE}.") for name in names)


def breaches(module: str, source: str) -> list[str]:
    """Return a sentence on every import that breaks a rule, with the remedy."""
    return [
        sentence
        for name in imported(source)
        for sentence in (climbing(module, name), straying(module, name))
        if sentence
    ]


def climbing(module: str, name: str) -> str | None:
    """Return the remedy for an import from a higher or the same layer, None if it is allowed."""
    mine, its = folder(module), folder(name)
    if its in {mine, MACHINERY} or its not in FLOOR:
        return None
    if mine not in {MACHINERY, *FLOOR}:
        return f"{module} stands on no floor: give {mine} one in HOUSE."
    if mine != MACHINERY and FLOOR[its] < FLOOR[mine]:
        return None
    return f"{module} may not import {name}: imports go down. Move what both need further down."


def straying(module: str, name: str) -> str | None:
    """Return the remedy for an import of a library outside of HOMES, None if it is allowed."""
    library = name.partition(".")[0]
    if library in FLOOR or library in {MACHINERY, "__version__"}:
        return None
    homes = HOMES.get(library)
    if homes is None:
        if library in sys.stdlib_module_names:
            return None
        return f"{module} imports {name}, which has no home: give it one in HOMES."
    if any(f"{module}.".startswith(f"{home}.") for home in homes):
        return None
    return f"{module} may not import {name}: use what {' or '.join(homes)} makes of it."


def folder(module: str) -> str:
    """Return the folder of a module of ours, or the module itself at the top level."""
    return module.partition(".")[0]


FLOOR: Final[Mapping[str, int]] = {
    room: number for number, floor in enumerate(reversed(HOUSE)) for room in floor
}


def normalises(source: str) -> bool:
    """Return whether a module uses unicodedata's normalisation, under any name."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in _NORMAL_FORMS)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "unicodedata"
            and any(alias.name in {*_NORMAL_FORMS, "*"} for alias in node.names)
        )
        for node in ast.walk(parsed(source))
    )


def circle(modules: Mapping[str, str]) -> list[str]:
    """Return modules that import each other in a circle, empty if there are none."""
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
    """Yield the modules that are imported from, not the names that are imported.

    Names of the package itself, such as its version, are left out: it imports its public names
    lazily.
    """
    for name in imported(source):
        whole = [name, name.rpartition(".")[0]] if "." in name else [name]
        yield from [each for each in whole if each in modules][:1]


def says_what_it_is_for(source: str) -> bool:
    """Return whether a module's docstring is one line, or one line and an empty one before more."""
    first, *rest = (ast.get_docstring(parsed(source)) or "").splitlines() or [""]
    return first.endswith(".") and (not rest or not rest[0])


def is_core(module: str) -> bool:
    """Return whether a module is part of the core, which README calls a day's reading."""
    return not any(f"{module}.".startswith(f"{each}.") for each in BESIDE_THE_CORE)


@dataclass(frozen=True)
class Row:
    """The exception for a private name that is used."""

    reason: str
    library: str
    checked: str
    """The version of the library that it was checked with."""
    test: str
    """The test that fails if the private name changes."""


ALLOWED: Final[Mapping[tuple[str, str], Row]] = {
    ("lib.engine.schema", "_schema"): Row(
        "nothing else leads from Strawberry's schema to graphql-core's",
        "strawberry-graphql",
        "0.341.2",
        "schema/test_complexity.py::test_introspection_tells_of_every_type_whether_it_takes_one_of",
    ),
    ("lib.server.protocol", "uvicorn.server.ServerState"): Row(
        "what uvicorn asks of a protocol class is documented nowhere",
        "uvicorn",
        "0.54.0",
        "lib/server/test_uvicorn.py::test_connections_and_tasks_are_where_uvicorn_waits_for_them",
    ),
    ("lib.telemetry.metrics", "prometheus_client.mmap_dict.MmapedDict"): Row(
        "prometheus_client never merges the files of processes that are gone",
        "prometheus-client",
        "0.26",
        "lib/telemetry/test_multiprocess.py::"
        "test_what_dead_processes_counted_stays_and_their_files_do_not",
    ),
}
"""The private names that are used, by module."""
INTERNAL: Final = (
    "graphql.execution.collect_fields",
    "graphql.execution.executor",
    "graphql.execution.is_awaitable",
    "prometheus_client.mmap_dict",
    "strawberry.http.ides",
    "strawberry.schema.schema_converter",
    "strawberry.utils",
    "uvicorn.protocols",
    "uvicorn.server",
)
"""Undocumented modules of libraries."""
_RECORDS: Final = frozenset({"_asdict", "_fields", "_make", "_replace"})
"""Documented attributes of typing.NamedTuple, in spite of their underscores."""


def private_names(source: str) -> set[str]:
    """Return the private names of libraries, and of other modules of ours, that a module uses."""
    tree = parsed(source)
    own = set(map(_defined, ast.walk(tree)))
    used: set[object] = {name for name in imported(source) if _is_internal(name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            used.add(node.arg)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in _BY_NAME:
            used |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    return {name for name in used if isinstance(name, str) and _is_private(name)} - own


_BY_NAME: Final = frozenset({"attrgetter", "getattr", "hasattr", "setattr"})


def _defined(node: ast.AST) -> str | None:
    """Return the name that a node defines, of a class, a function, a parameter or an attribute."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
            return name
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case _:
            return None


def _is_internal(name: str) -> bool:
    return name.startswith(INTERNAL) or _is_private(name.partition(".")[2].replace(".", " "))


def _is_private(name: str) -> bool:
    """Return whether any part of a name has a leading underscore, or is internal."""
    if name.startswith(INTERNAL):
        return True
    parts = re.split(r"[. ]", name)
    return any(p.startswith("_") and not p.startswith("__") and p not in _RECORDS for p in parts)


def deep_imports(module: str, source: str) -> list[str]:
    """Return a sentence on each import of a submodule of a lib package, past its public names."""
    sentences = []
    for name in imported(source):
        inside = ".".join(name.split(".")[:3])
        package = ".".join(name.split(".")[:2])
        if package.startswith(f"{MACHINERY}.") and inside in MODULES and inside != package:
            if f"{module}.".startswith(f"{package}."):
                continue
            sentences.append(
                f"{module} may not import {name}: take it from gql_app.{package}, "
                "and export it there if it is missing."
            )
    return sentences
