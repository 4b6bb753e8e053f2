"""The signing keys of a deployment: where they are, by its settings."""

from pathlib import Path

from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import SECRET_KEY, KeyStore, Signer, signer_key, stored_secret
from gql_app.lib.setting_types import MIN_SECRET_BYTES
from gql_app.settings import SECRET_REQUIRED, Settings


def key_store(settings: Settings, signer: Signer | None = None) -> KeyStore:
    """Return the store of the keys, a signer's among them, if there is one.

    The secret is the one that is set, or beside the SQLite file. Raises CannotStart.
    """
    elsewhere = [signer_key(signer)] if signer else []
    secret, origin = settings.secret_bytes, SECRET_KEY
    if secret is None:
        if not settings.on_sqlite:
            raise CannotStart([SECRET_REQUIRED])
        kept = kept_beside(settings.sqlite_file)
        secret, origin = stored_secret(kept), str(kept)
        if len(secret) < MIN_SECRET_BYTES:
            raise CannotStart(
                [f"{kept}: holds no secret key; delete it, and a new one is made at the next start"]
            )
    return KeyStore(secret, origin, settings.fallback_bytes, settings.keys_dir, elsewhere)


def kept_beside(file: Path) -> Path:
    """Return where the secret key of an SQLite file is kept if none is set."""
    return file.with_name(f"{file.name}.key")
