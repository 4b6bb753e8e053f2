"""Letters to customers: no name or address breaks out of one."""

import pytest

from gql_app.accounts import validation
from gql_app.errors import Rejected, UserErrorCode
from tests.people import PASSWORD

CONTROLS = ("\r\n", "\n", "\r", "\0", "\v", "\f", "\x1c", "\x85")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        *(
            (field, f"{{}}{break_}Bcc: x@example.com")
            for field in ("name", "email")
            for break_ in CONTROLS
        ),
        ("email", "{}\u2028Bcc: x@example.com"),
        ("email", "{}\u2029Bcc: x@example.com"),
        ("email", "{}, x@example.com"),
        ("email", "Ada <{}>"),
    ],
)
def test_customer_who_would_break_out_of_a_header_can_not_exist(field: str, given: str) -> None:
    fine = {"name": "A", "email": "a@example.com"}
    texts = {**fine, field: given.format(fine[field])}
    with pytest.raises(Rejected) as rejected:
        validation.check_new(
            name=texts["name"], email=texts["email"], password=PASSWORD, rules=validation.Rules()
        )
    assert [(fault.code, fault.field) for fault in rejected.value.faults] == [
        (UserErrorCode.INVALID, field)
    ]
