"""Which new passwords are accepted (NIST SP 800-63B section 3.1.1.2)."""

from gql_app.lib.password_policy.policy import (
    COMMON_PASSWORDS,
    MAX_LENGTH,
    MIN_LENGTH,
    PRODUCT,
    PasswordRefused,
    Reason,
    check_password,
    normalise_password,
)

__all__ = [
    "COMMON_PASSWORDS",
    "MAX_LENGTH",
    "MIN_LENGTH",
    "PRODUCT",
    "PasswordRefused",
    "Reason",
    "check_password",
    "normalise_password",
]
