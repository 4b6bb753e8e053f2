"""What the Python client of examples/ tells of itself."""

import pytest

from tests.examples.driving import PERSON, WHO, drive, expired, signed_in
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("examples")


def test_no_log_holds_a_secret_however_much_is_logged(server: Server) -> None:
    before = expired(signed_in(server))
    for came in (
        drive("python", server, sign_in=WHO, times=1),
        drive("python", server, held=before, times=1),
    ):
        assert came.listed == [1]
        assert came.held is not None
        assert "DEBUG:" in came.printed
        secrets = {PERSON.password, *before.values(), *came.held.values()}
        assert not [each for each in secrets if str(each) in came.printed]
