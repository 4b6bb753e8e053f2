"""The sandbox: Jinja2 with access to a template's values and other templates, and no more."""

from collections.abc import Callable, Collection, Iterator
from datetime import date
from typing import Final

from jinja2 import FunctionLoader, StrictUndefined, TemplateSyntaxError, meta, nodes, pass_context
from jinja2.idtracking import find_symbols
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gql_app.lib.faults import sentence
from gql_app.lib.mail_templates.files import Source

_MONTHS: Final = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
    "es": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    ),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_FORMS: Final = {
    "de": "{day}. {month} {year}",
    "en": "{day} {month} {year}",
    "es": "{day} de {month} de {year}",
    "fr": "{day} {month} {year}",
}


class Sandbox:
    """Renders templates, which read no file, and no attribute that begins with an underscore.

    An unknown name is an error, and text in HTML is escaped.
    """

    def __init__(self, find: Callable[[str], Source | None]) -> None:
        def load(name: str) -> tuple[str, str, None] | None:
            source = find(name)
            return (source.text, str(source.path), None) if source else None

        self._environment: Final = ImmutableSandboxedEnvironment(
            autoescape=lambda name: name is not None and name.endswith(".html"),
            auto_reload=False,
            cache_size=-1,
            keep_trailing_newline=True,
            loader=FunctionLoader(load),
            lstrip_blocks=True,
            trim_blocks=True,
            undefined=StrictUndefined,
        )
        self._environment.globals.clear()
        self._environment.filters["date"] = _date

    def render(self, name: str, values: dict[str, object]) -> str:
        """Return a template rendered with some values. Raises any error in it."""
        return self._environment.get_template(name).render(values)

    def faults(self, source: Source, known: Collection[str]) -> Iterator[str]:
        """Yield a fault for a syntax error, or for each name that has no value."""
        try:
            tree = self._environment.parse(source.text)
            unknown = meta.find_undeclared_variables(tree) - {*known}
        except TemplateSyntaxError as why:
            yield sentence(f"{source.path}, line {why.lineno}: {why.message}")
            return
        for each in (tree, *tree.find_all(nodes.Stmt)):  # a block sees what is set outside it
            unknown -= find_symbols(getattr(each, "body", ())).stores
        for each in tree.find_all(nodes.Name):
            if each.ctx == "load" and each.name in unknown:
                yield (
                    f"{source.path}, line {each.lineno}: there is no value {each.name}; "
                    f"there are {', '.join(sorted(known))}."
                )


@pass_context
def _date(context: Context, moment: date) -> str:
    """Return a date with its month in words in the languages of this file, else as ISO 8601."""
    primary = str(context["language"]).partition("-")[0]
    if primary not in _FORMS:
        return f"{moment:%Y-%m-%d}"
    month = _MONTHS[primary].split()[moment.month - 1]
    day = "1er" if primary == "fr" and moment.day == 1 else moment.day
    return _FORMS[primary].format(day=day, month=month, year=moment.year)
