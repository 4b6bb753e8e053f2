"""The keys of a deployment: where those that sign are, and what secrets are encrypted by."""

from pathlib import Path

from gql_app.lib.encryption import Encryption
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import SECRET_KEY, KeyStore, Signer, signer_key, stored_secret
from gql_app.lib.setting_types import MIN_SECRET_BYTES
from gql_app.settings import SECRET_REQUIRED, Settings


def key_store(settings: Settings, signer: Signer | None = None) -> KeyStore:
    """Return the store of the keys, a signer's among them, if there is one.

    The secret is the one that is set, or beside the SQLite file. Raises CannotStart.
    """
    external = [signer_key(signer)] if signer else []
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
    return KeyStore(secret, origin, settings.fallback_bytes, settings.keys_dir, external)


def factor_encryption(settings: Settings, store: KeyStore) -> Encryption:
    """Return what encrypts the secrets of second factors: the factor key, if one is set.

    Otherwise it is derived from the secret that signs. Whatever else may be in use still decrypts:
    the other factor key, and what is derived of either secret.
    """
    key, fallback = settings.factor_keys
    ours, *others = store.derived("second factors")
    keys = [key, ours, fallback, *others]
    return Encryption([key for key in keys if key])


def kept_beside(file: Path) -> Path:
    """Return where the secret key of an SQLite file is kept if none is set."""
    return file.with_name(f"{file.name}.key")
