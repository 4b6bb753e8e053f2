"""The architecture rules (laws) as data, and the checks that find a breach of them."""

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

Layers = Sequence[tuple[str, ...]]
"""From the top down. Packages of one layer do not import each other."""

LAYERS: Layers = (
    ("main",),
    ("",),
    ("cli",),
    ("app",),
    ("extending",),
    ("background", "web"),
    ("schema",),
    ("resources",),
    ("mail",),
    ("factors",),
    ("accounts",),
    ("db", "verify"),
    ("security",),
    ("metrics", "settings"),
    ("commands", "errors"),
)
"""The order of imports. A new file is in its folder's layer; the root package is the empty name."""
MACHINERY: Final = "lib"
"""The package that every layer may import; of this project it imports only itself."""

BESIDE_THE_CORE: Final = (
    *("main", "cli", "commands", "db.migrations", "extending", "lib", "verify"),
    *("factors", "accounts.factors", "db.factor_tables", "schema.factors"),
    *("mail", "accounts.mail", "schema.mail"),
    *("web.introspection", "web.management", "web.pages"),
)
"""Modules outside the core: read only by those who work on them."""
CEILING: Final = (50, 8_000)
"""The most files and the most lines of the core, so that it can be read in a day."""
LONGEST_FILE: Final = 400
"""The most lines of a file."""

HOMES: Mapping[str, tuple[str, ...]] = {
    "aiosmtplib": ("lib.outbox",),
    "alembic": ("cli", "db.migrations"),
    "argon2": ("lib.hashes",),
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
        "lib.rate_limits",
        "lib.standby",
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
    "strawberry": ("extending", "lib.composition", "lib.engine", "schema", "web.pages"),
    "structlog": ("lib.telemetry",),
    "typer": ("cli",),
    "uvicorn": ("lib.server",),
    "webauthn": ("lib.passkeys",),
    "zxcvbn": ("lib.keyring",),
}
"""The modules that may import each library. A library that is not listed may not be imported."""


NORMALISING: Final = "lib.text"
"""The one module that normalises Unicode; on hostile text, that takes quadratic time."""
_NORMAL_FORMS: Final = frozenset({"normalize", "is_normalized", "ucd_3_2_0"})


def name_of(file: Path) -> str:
    """Return a module's name without the package's, as the laws have it."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    inside = parts[1:] if parts[0] == PACKAGE else parts
    return ".".join(part for part in inside if part != "__init__")


FILES = [ROOT / "main.py", *sorted((ROOT / PACKAGE).rglob("*.py"))]
MODULES = {name_of(file): file.read_text(encoding="utf-8") for file in FILES}


@cache
def parsed(source: str) -> ast.Module:
    """Return a module's syntax tree, cached because every law reads it."""
    return ast.parse(source)


@cache
def nodes(source: str) -> Sequence[ast.AST]:
    """Return all nodes of a module's syntax tree."""
    return list(ast.walk(parsed(source)))


@cache
def imported(source: str) -> Sequence[str]:
    """Return every name that a module imports, at any depth, without the prefix gql_app."""
    names: list[str] = []
    for node in nodes(source):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names]
    return [name.removeprefix(f"{PACKAGE}.") for name in names]


def breaches(module: str, source: str) -> list[str]:
    """Return a sentence for each import that breaks a law: what is wrong and how to fix it."""
    return [
        sentence
        for name in imported(source)
        for sentence in (layer_breach(module, name), library_breach(module, name))
        if sentence
    ]


def layer_breach(module: str, name: str) -> str | None:
    """Return how to fix an import of a module that is not in a lower layer, None if it is."""
    mine, its = folder(module), folder(name)
    if its in {mine, MACHINERY} or its not in LAYER_OF:
        return None
    if mine not in {MACHINERY, *LAYER_OF}:
        return f"{module} is in no layer: add {mine} to LAYERS."
    if mine != MACHINERY and LAYER_OF[its] < LAYER_OF[mine]:
        return None
    return f"{module} may not import {name}: move what both need to a layer below both."


def library_breach(module: str, name: str) -> str | None:
    """Return how to fix an import of a library that HOMES does not allow, None if it does."""
    library = name.partition(".")[0]
    if library in LAYER_OF or library in {MACHINERY, "__version__"}:
        return None
    homes = HOMES.get(library)
    if homes is None:
        if library in sys.stdlib_module_names:
            return None
        return f"{module} imports {name}, a library that HOMES does not list: add it there."
    if any(f"{module}.".startswith(f"{home}.") for home in homes):
        return None
    return f"{module} may not import {name}: use what {' or '.join(homes)} offers instead."


def folder(module: str) -> str:
    """Return the top-level folder of a module, or the module itself if it is in none."""
    return module.partition(".")[0]


LAYER_OF: Final[Mapping[str, int]] = {
    name: number for number, layer in enumerate(reversed(LAYERS)) for name in layer
}


def normalises(source: str) -> bool:
    """Return whether a module uses Unicode normalisation of unicodedata, even under an alias."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in _NORMAL_FORMS)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "unicodedata"
            and any(alias.name in {*_NORMAL_FORMS, "*"} for alias in node.names)
        )
        for node in nodes(source)
    )


def import_cycle(modules: Mapping[str, str]) -> list[str]:
    """Return the modules of an import cycle, an empty list if there is none."""
    graph = {
        module: {name for name in imported_modules(modules, source) if name != module}
        for module, source in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def imported_modules(modules: Mapping[str, str], source: str) -> Iterator[str]:
    """Yield the modules that a module imports from, without the names that it takes from them.

    The version is of the root package, which imports nothing at first: the names that it exports
    are imported lazily, on first access.
    """
    for name in imported(source):
        whole = [name, name.rpartition(".")[0]] if "." in name else [name]
        yield from [each for each in whole if each in modules][:1]


def has_summary_line(source: str) -> bool:
    """Return whether a module's docstring is one sentence, or one followed by an empty line."""
    first, *rest = (ast.get_docstring(parsed(source)) or "").splitlines() or [""]
    return first.endswith(".") and (not rest or not rest[0])


def is_core(module: str) -> bool:
    """Return whether a module is of the core, which README counts as a day's reading."""
    return not any(f"{module}.".startswith(f"{each}.") for each in BESIDE_THE_CORE)


@dataclass(frozen=True)
class Row:
    """Why a private name is used nevertheless."""

    reason: str
    library: str
    checked: str
    """The version that it was checked against."""
    test: str
    """The test that fails if another version breaks it."""


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
"""The private names that are allowed, by module and name: at most five."""
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
"""Modules of libraries that are not documented, and so count as private."""
_RECORDS: Final = frozenset({"_asdict", "_fields", "_make", "_replace"})
"""Methods of typing.NamedTuple that are public despite their underscore."""


def private_names(source: str) -> set[str]:
    """Return the private names of libraries, and of other modules here, that a module uses."""
    own = set(map(_defined, nodes(source)))
    used: set[object] = {name for name in imported(source) if _is_internal(name)}
    for node in nodes(source):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            used.add(node.arg)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _BY_NAME:
            used |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    return {name for name in used if isinstance(name, str) and _is_private(name)} - own


_BY_NAME: Final = frozenset({"attrgetter", "getattr", "hasattr", "setattr"})


def _defined(node: ast.AST) -> str | None:
    """Return the name of the class, function, parameter or attribute that a node defines."""
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
    """Return a sentence for each import from inside a package of lib, past its __init__.py."""
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
