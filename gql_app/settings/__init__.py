"""The operator's settings: the `GQL_APP_` variables of the environment, which only it reads."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from gql_app.lib import setting_types as types
from gql_app.lib.environment import variable, variables
from gql_app.lib.faults import CannotStart
from gql_app.settings.model import PAGES as PAGES
from gql_app.settings.model import PREFIX as PREFIX
from gql_app.settings.model import Settings as Settings

ADMIN_PASSWORD: Final = PREFIX + "ADMIN_PASSWORD"
APP: Final = PREFIX + "APP"
"""The application that the command line and its workers take, as module:name."""
VARIABLES: Final = frozenset(
    {ADMIN_PASSWORD, APP, *(PREFIX + n.upper() for n in Settings.model_fields)}
)
"""Every variable with the prefix that the program reads, without those of features."""
METRICS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the metrics' folder; prometheus_client reads it, too, at its import."""
SECRET_REQUIRED: Final = (
    f"{PREFIX}SECRET_KEY: is required with PostgreSQL, so that every process signs alike; "
    "make one with: openssl rand -base64 48"
)
MAIL_REQUIRED: Final = f"takes letters, so {PREFIX}SMTP_URL has to be set"


def load(*, serving: bool = False) -> Settings:
    """Return the settings of the environment; `serving` checks what a server requires, too.

    Raises CannotStart, which names every faulty variable at once and no value.
    """
    faults: list[str] = []
    settings: Settings | None = None
    try:
        settings = Settings()
    except ValidationError as error:
        faults = faults_of(PREFIX, error)
    if serving and _lacks_secret():
        faults.append(SECRET_REQUIRED)
    if serving and settings and not settings.sends_mail:
        needed = {"EMAIL_VERIFICATION": settings.verification == "require"}
        needed["SIGN_IN_LINKS"] = settings.sign_in_links
        needed["NEW_CLIENT_LETTERS"] = settings.new_client_letters
        faults += (f"{PREFIX}{name}: {MAIL_REQUIRED}" for name, set_ in needed.items() if set_)
    if settings is None or faults:
        raise CannotStart(faults)
    return settings


def faults_of(prefix: str, error: ValidationError) -> list[str]:
    """Return a sentence for each faulty variable, with its name and without its value."""
    return [
        f"{prefix}{str(name).upper()}: {_in_words(fault['msg'], parts)}"
        for fault in error.errors(include_url=False, include_input=False)
        for name, *parts in [fault["loc"] or ["*"]]
    ]


def metrics_dir() -> Path | None:
    """Return the folder in which several processes share their metrics, set by `serve`."""
    folder = variable(METRICS_DIR)
    return Path(folder) if folder else None


def _lacks_secret() -> bool:
    """Return whether a secret is required and not set; a blank one is another fault."""
    on_postgresql = variables(PREFIX).get(f"{PREFIX}DATABASE_URL", "").startswith(types.POSTGRESQL)
    secret = [value for name, value in os.environ.items() if name.upper() == f"{PREFIX}SECRET_KEY"]
    return on_postgresql and not any(secret)


def _in_words(message: str, parts: Sequence[int | str]) -> str:
    lacked = f"lacks {'a part' if isinstance(parts[-1], int) else parts[-1]}" if parts else None
    return (
        message.removeprefix("Value error, ")
        .replace("Input should", "should")
        .replace("Field required", lacked or "is required")
    )
