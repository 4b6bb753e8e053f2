"""The operator's settings: the `GQL_APP_` variables of the environment."""

from gql_app.settings.loading import (
    admin_password,
    faults_of,
    load,
    metrics_dir,
    unknown_variables,
)
from gql_app.settings.model import (
    ADMIN_PASSWORD,
    APP,
    MAIL_REQUIRED,
    METRICS_DIR,
    NO_CLIENT_LIMIT,
    PAGES,
    PREFIX,
    SECRET_REQUIRED,
    Settings,
)

__all__ = [
    "ADMIN_PASSWORD",
    "APP",
    "MAIL_REQUIRED",
    "METRICS_DIR",
    "NO_CLIENT_LIMIT",
    "PAGES",
    "PREFIX",
    "SECRET_REQUIRED",
    "Settings",
    "admin_password",
    "faults_of",
    "load",
    "metrics_dir",
    "unknown_variables",
]
