"""Hashes of other systems are understood, bounded and compared as their systems do."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import pbkdf2_hmac

import bcrypt
import pytest

from gql_app.lib import hashes
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.hashes import Hasher
from gql_app.lib.password_policy import normalise_password
from tests.lib.hashes.examples import VECTORS, Vector

KEY = "c29tZWtleXNvbWVrZXlzb21la2V5"
SALT = "c29tZXNhbHQ"
HEX = "73" * 32


@pytest.fixture
def passwords() -> Iterator[Hasher]:
    """Make room for one at work."""
    passwords = Hasher(threads=1, queue=0)
    yield passwords
    passwords.close()


@pytest.mark.parametrize("vector", VECTORS, ids=[each.source for each in VECTORS])
async def test_hash_of_another_system_matches_its_password_alone_and_is_outdated(
    passwords: Hasher, vector: Vector
) -> None:
    assert hashes.fault(vector.hashed) is None
    assert await passwords.verify(vector.password, vector.hashed, LOCAL) is True
    assert await passwords.verify("!" + vector.password, vector.hashed, LOCAL) is False
    assert passwords.outdated(vector.hashed) is True


@pytest.mark.parametrize("vector", VECTORS, ids=[each.source for each in VECTORS])
async def test_hash_that_was_damaged_matches_nothing(passwords: Hasher, vector: Vector) -> None:
    cut = vector.hashed.rstrip("=")[:-1]
    for damaged in (cut, vector.hashed + vector.hashed[-2], f" {vector.hashed}"):
        assert await passwords.verify(vector.password, damaged, LOCAL) is False


@pytest.mark.parametrize(
    ("hashed", "limit"),
    [
        (f"$2b$16${'u' * 53}", "2^15"),
        (f"$2b$31${'u' * 53}", "2^15"),
        (f"$2b$03${'u' * 53}", "none that"),
        (f"$scrypt$ln=17,r=8,p=1${SALT}${KEY}", "64 MiB"),
        (f"$scrypt$ln=39,r=8,p=1${SALT}${KEY}", "64 MiB"),
        (f"scrypt:65536:8:5$salt${HEX}", "4 times"),
        (f"scrypt$65536$salt$9$1${KEY}", "64 MiB"),
        (f"$scrypt$ln=1,r=1,p=1048575${SALT}${KEY}", "65536"),
        (f"scrypt:2:65537:1$salt${HEX}", "65536"),
        (f"scrypt$4$salt$8$8193${KEY}", "65536"),
        (f"scrypt:1000:8:1$salt${HEX}", "none that"),
        (f"scrypt:1:8:1$salt${HEX}", "none that"),
        (f"scrypt:65536:1:1$salt${HEX}", "none that"),
        (f"pbkdf2_sha256$2000001$salt${KEY}", "2000000"),
        (f"pbkdf2:sha1:500001$salt${HEX * 2}", "2000000"),
        (f"$argon2id$v=19$m=262145,t=1,p=1${SALT}${KEY}", "256 MiB"),
        (f"$argon2id$v=19$m=1024,t=11,p=1${SALT}${KEY}", "10 times"),
        (f"$argon2id$v=19$m=1024,t=1,p=17${SALT}${KEY}", "16"),
        (f"$argon2id$v=19$m=8,t=1,p=2${SALT}${KEY}", "none that"),
        (f"$argon2id$v=19$m=64,t=1,p=1$c2FsdA${KEY}", "none that"),
        (f"$argon2id$v=19$m=64,t=1,p=1${SALT}$c29tZWtleXNv", "9 bytes"),
        (f"$scrypt$ln=4,r=8,p=1${SALT}$c29tZWtleXNv", "9 bytes"),
        (f"pbkdf2:sha256:1$salt${'73' * 65}", "65 bytes"),
        (f"pbkdf2:sha256:1$salt${'73' * 15}", "15 bytes"),
    ],
)
def test_hash_that_costs_too_much_or_proves_too_little_is_refused(hashed: str, limit: str) -> None:
    fault = hashes.fault(hashed)
    assert fault is not None
    assert limit in fault
    assert not hashes.matches(hashed, ["salt", ""])


@pytest.mark.parametrize(
    "hashed",
    [
        f"$2b$15${'u' * 53}",
        f"$2b$04${'u' * 53}",
        f"$scrypt$ln=16,r=8,p=4${SALT}${KEY}",
        f"scrypt:4:8:8192$salt${HEX}",
        f"pbkdf2_sha256$2000000$salt${KEY}",
        f"pbkdf2:sha1:500000$salt${HEX}{HEX}",
        f"$argon2id$v=19$m=262144,t=10,p=16${SALT}${KEY}",
        f"pbkdf2:sha256:1$salt${'73' * 16}",
    ],
)
def test_hash_at_its_limit_is_taken(hashed: str) -> None:
    assert hashes.fault(hashed) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "!unusable",
        "plain text",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        f"$2x$05${'u' * 53}",
        f"$2b$05${'u' * 52}",
        f"$2b$05${'u' * 21}v{'u' * 31}",
        f"$2b$05${'u' * 52}v",
        f"$2b$40${'u' * 53}",
        f"$bcrypt-sha256$v=2,t=2b,r=12${'u' * 22}${'u' * 31}",
        f"$scrypt$ln=0,r=8,p=1${SALT}${KEY}",
        f"$scrypt$ln=10,r=08,p=1${SALT}${KEY}",
        f"$scrypt$ln=10,r=8,p=1${SALT}${KEY}=",
        f"$scrypt$ln=10,r=8,p=1${SALT}$c29tZWtleXNvbWVrZXlzb2",
        f"$scrypt$ln=10,r=8,p=1$c29tZXNhbHR${KEY}",
        f"scrypt:1024:8$salt${HEX}",
        f"scrypt:1024:8:1$$${HEX}",
        f"scrypt:1024:8:1$salt${HEX[:-1]}",
        f"pbkdf2:md5:1000$salt${HEX}",
        f"pbkdf2_sha256$1000$salt${KEY}\n",
        f"pbkdf2_sha256$-1$salt${KEY}",
        f"pbkdf2_sha256${'9' * 11}$salt${KEY}",
        f"$argon2id$v=20$m=64,t=1,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=64,t=1,p=1,keyid=Zm9v${SALT}${KEY}",
        f"$argon2x$v=19$m=64,t=1,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=٦٤,t=1,p=1${SALT}${KEY}",
    ],
)
async def test_anything_else_is_no_hash_and_matches_nothing(
    passwords: Hasher, garbage: str
) -> None:
    assert hashes.fault(garbage) == hashes.UNKNOWN
    assert await passwords.verify("", garbage, LOCAL) is False
    assert await passwords.verify("salt", garbage, LOCAL) is False


async def test_bcrypt_ends_at_72_bytes_and_not_before(passwords: Hasher) -> None:
    hashed = bcrypt.hashpw("é".encode() * 36, bcrypt.gensalt(4)).decode()
    assert await passwords.verify("é" * 36 + "whatever", hashed, LOCAL) is True
    assert await passwords.verify("é" * 35 + "e", hashed, LOCAL) is False


async def test_nul_neither_ends_nor_repeats_a_password_of_bcrypt(passwords: Hasher) -> None:
    hashed = bcrypt.hashpw(b"short", bcrypt.gensalt(4)).decode()
    assert await passwords.verify("short", hashed, LOCAL) is True
    for longer in ("short\0and more", "short\0short", "short\0"):
        assert await passwords.verify(longer, hashed, LOCAL) is False


@pytest.mark.parametrize("hashed_form", ["e\N{COMBINING ACUTE ACCENT}", "é"])
async def test_either_form_of_unicode_may_have_been_hashed_elsewhere(
    passwords: Hasher, hashed_form: str
) -> None:
    key = pbkdf2_hmac("sha256", hashed_form.encode(), b"salt", 10)
    hashed = f"pbkdf2_sha256$10$salt${b64encode(key).decode()}"
    assert await passwords.verify("e\N{COMBINING ACUTE ACCENT}", hashed, LOCAL) is True
    assert await passwords.verify("é", hashed, LOCAL) is (
        normalise_password(hashed_form) == hashed_form
    )


async def test_our_own_hash_is_of_the_normal_form_however_it_is_typed(passwords: Hasher) -> None:
    hashed = await passwords.hash(normalise_password("e\N{COMBINING ACUTE ACCENT}"), LOCAL)
    assert await passwords.verify("e\N{COMBINING ACUTE ACCENT}", hashed, LOCAL) is True
    assert await passwords.verify("é", hashed, LOCAL) is True


async def test_lone_surrogate_matches_no_hash(passwords: Hasher) -> None:
    assert await passwords.verify("\ud800", VECTORS[0].hashed, LOCAL) is False


def test_no_reason_repeats_any_of_the_hash() -> None:
    for hashed in (f"$2b$31${'u' * 53}", f"pbkdf2:sha1:9999999$salty${HEX}", "$secret$"):
        fault = hashes.fault(hashed)
        assert fault is not None
        assert not {"secret", "salty", HEX, "u" * 53} & set(fault.replace("$", " ").split())
