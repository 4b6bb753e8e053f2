"""The keys of a deployment: the store of signing keys, and the keys that encrypt secrets."""

from pathlib import Path

from gql_app.lib.encryption import Encryption
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import SECRET_KEY, KeyStore, Signer, signer_key, stored_secret
from gql_app.lib.setting_types import MIN_SECRET_BYTES
from gql_app.settings import SECRET_REQUIRED, Settings


def key_store(settings: Settings, signer: Signer | None = None) -> KeyStore:
    """Return the store of the keys, with that of a signer if there is one.

    The secret is the one that is set, or that beside the SQLite file. Raises CannotStart.
    """
    external = [signer_key(signer)] if signer else []
    secret, origin = settings.secret_bytes, SECRET_KEY
    if secret is None:
        if not settings.on_sqlite:
            raise CannotStart([SECRET_REQUIRED])
        path = kept_beside(settings.sqlite_file)
        secret, origin = stored_secret(path), str(path)
        if len(secret) < MIN_SECRET_BYTES:
            raise CannotStart(
                [f"{path}: holds no secret key; delete it, and a new one is made at the next start"]
            )
    return KeyStore(secret, origin, settings.fallback_bytes, settings.keys_dir, external)


def factor_encryption(settings: Settings, store: KeyStore) -> Encryption:
    """Return the encryption of the secrets of second factors, by the factor key if one is set.

    Otherwise the key is derived from the secret key. All others that may be in use still decrypt:
    the fallback factor key, and those derived from the secret key and its fallback.
    """
    key, fallback = settings.factor_keys
    ours, *others = store.derived("second factors")
    keys = [key, ours, fallback, *others]
    return Encryption([key for key in keys if key])


def kept_beside(file: Path) -> Path:
    """Return the path at which the secret key of an SQLite file is stored if none is set."""
    return file.with_name(f"{file.name}.key")
