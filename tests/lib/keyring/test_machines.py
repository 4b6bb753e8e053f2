"""Several machines whose folders are copied by hand: no token is refused between two steps."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from gql_app.errors import TokenInvalid
from gql_app.lib.clock import LATEST
from gql_app.lib.keyring import Algorithm, KeyStore, ReloadingKeyRing, make, promote, retire
from gql_app.security.tokens import decode_token, encode_token
from tests.conftest import SetClock
from tests.security.forging import CUSTOMER, ISSUER, NOW, SECRET, SESSION

TTL = ISSUER.ttl


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with a folder of its own, and a server that runs on it."""

    store: KeyStore
    server: ReloadingKeyRing

    @classmethod
    def started(cls, folder: Path) -> "Machine":
        """Start a machine."""
        folder.mkdir()
        store = KeyStore(SECRET, folder=folder)
        return cls(store, ReloadingKeyRing(store, interval=0))

    def sign(self) -> str:
        """Issue a token."""
        token, _ = encode_token(
            self.server.get(), ISSUER, customer_id=CUSTOMER, session_id=SESSION, not_after=LATEST
        )
        return token

    def verify(self, token: str) -> str:
        """Verify a token, and tell by which key."""
        return decode_token(self.server.get(), ISSUER, token).key_id

    def take(self, other: "Machine", name: str) -> None:
        """Copy one file of another machine's folder."""
        ours, theirs = self.store.require_folder(), other.store.require_folder()
        shutil.copy(theirs / name, ours / name)


@pytest.fixture
def machines(tmp_path: Path, stopped_clock: datetime) -> tuple[Machine, Machine]:
    """Start two machines that have one secret."""
    assert stopped_clock == NOW
    return Machine.started(tmp_path / "a"), Machine.started(tmp_path / "b")


def all_agree(*machines: Machine) -> None:
    """Have each machine sign, and each verify it."""
    for signer, verifier in product(machines, machines):
        verifier.verify(signer.sign())


@pytest.mark.parametrize("algorithm", Algorithm)
def test_each_step_and_each_file_copied_leaves_every_token_good(
    machines: tuple[Machine, Machine], set_clock: SetClock, algorithm: Algorithm
) -> None:
    first, second = machines
    before = [machine.sign() for machine in machines]
    retiring = first.server.get().signing.id

    key, file = make(first.store, algorithm)
    all_agree(*machines)
    second.take(first, file.name)
    all_agree(*machines)

    promote(first.store, key.id)
    all_agree(*machines)
    assert first.verify(second.sign()) == retiring
    assert second.verify(first.sign()) == key.id
    second.take(first, "ring.json")
    all_agree(*machines)
    last = [*before, *(machine.sign() for machine in machines)]
    assert first.verify(second.sign()) == key.id

    retire(first.store, retiring, ttl=TTL)
    for machine, token in product(machines, last):
        machine.verify(token)
    second.take(first, "ring.json")
    set_clock(NOW + timedelta(seconds=TTL - 1))
    for machine, token in product(machines, last):
        machine.verify(token)

    set_clock(NOW + timedelta(seconds=TTL + 60))
    for machine, token in product(machines, before):
        with pytest.raises(TokenInvalid):
            machine.verify(token)


def test_second_change_of_keys_passes_machine_by_machine_as_well(
    machines: tuple[Machine, Machine],
) -> None:
    first, second = machines
    (old, old_file), (new, new_file) = (make(first.store, Algorithm.EDDSA) for _ in range(2))
    for name in (old_file.name, new_file.name):
        second.take(first, name)
    promote(first.store, old.id)
    second.take(first, "ring.json")
    tokens = [machine.sign() for machine in machines]
    promote(first.store, new.id)
    all_agree(*machines)
    second.take(first, "ring.json")
    retire(first.store, old.id, ttl=TTL)
    all_agree(*machines)
    for name in (old_file.name, "ring.json"):
        second.take(first, name)
        all_agree(*machines)
        assert [machine.verify(token) for machine in machines for token in tokens] == [old.id] * 4
    assert b"PRIVATE" not in (second.store.require_folder() / old_file.name).read_bytes()


def test_manifest_that_comes_before_its_key_waits_for_it(
    machines: tuple[Machine, Machine],
) -> None:
    first, second = machines
    key, file = make(first.store, Algorithm.EDDSA)
    promote(first.store, key.id)
    second.take(first, "ring.json")
    assert second.verify(second.sign()) != key.id
    second.take(first, file.name)
    all_agree(*machines)
    assert second.verify(second.sign()) == key.id


def test_secret_is_changed_by_way_of_the_fallback_with_nobody_signed_out() -> None:
    new = b"the secret that comes into use tomorrow"
    steps = [
        (KeyStore(SECRET), KeyStore(SECRET, fallback=new)),
        (KeyStore(SECRET, fallback=new), KeyStore(new, fallback=SECRET)),
        (KeyStore(new, fallback=SECRET), KeyStore(new, fallback=SECRET)),
    ]
    for stores in steps:
        rings = [store.read() for store in stores]
        for signer, verifier in product(rings, rings):
            token, claims = encode_token(
                signer, ISSUER, customer_id=CUSTOMER, session_id=SESSION, not_after=LATEST
            )
            assert decode_token(verifier, ISSUER, token) == claims
