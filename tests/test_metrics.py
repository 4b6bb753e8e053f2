"""What is counted: every word of it is written down."""

import re

import pytest

from gql_app.errors import TokenReason, UserErrorCode
from gql_app.lib.breached_passwords import Lookup
from gql_app.lib.standby import Reading
from gql_app.lib.telemetry.metrics import OPERATIONS
from gql_app.metrics import FAULTS, REASONS, SIGN_INS, new_metrics
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.laws import ROOT
from tests.scraping import told

THROTTLED = "gql_app_throttled_total"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_limit_of_the_rules_is_counted_and_in_the_guide(settings: Settings) -> None:
    async with Resources.open(settings) as resources:
        counted = told(resources.metrics).labels("limit")
        names = {limit.name for limit in resources.throttle.limits.values()}
    assert counted == {*names, "letter_recipient", "password_queue"}
    guide = (ROOT / "docs/watching.md").read_text(encoding="utf-8")
    assert [name for name in counted if f"`{name}`" not in guide] == []


def test_every_reason_is_counted() -> None:
    assert {*TokenReason, *UserErrorCode, "ADMIN_REQUIRED"} <= set(REASONS)


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        ("OK", "OK"),
        ("ADMIN_REQUIRED BAD_USER_INPUT", "ADMIN_REQUIRED"),
        ("BAD_USER_INPUT TOKEN_EXPIRED", "TOKEN_EXPIRED"),
        ("INTERNAL_SERVER_ERROR TOKEN_EXPIRED", "INTERNAL_SERVER_ERROR"),
        ("made up", "other"),
        ("", "other"),
    ],
)
def test_outcome_of_several_parts_counts_as_the_gravest(outcome: str, label: str) -> None:
    metrics = new_metrics()
    for _ in range(2):
        metrics.request("query", outcome, 0.1)
    numbers = told(metrics)
    assert numbers.labels("outcome") == {label, *FAULTS}
    assert numbers.of("gql_app_requests_total", operation="query", outcome=label) == 2


def test_several_applications_of_one_process_count_for_themselves() -> None:
    one, two = new_metrics(["sign_in_address"]), new_metrics(["sign_in_address"])
    one.throttled["sign_in_address"].inc()
    assert told(one).of(THROTTLED, limit="sign_in_address") == 1
    assert told(two).of(THROTTLED, limit="sign_in_address") == 0


def test_guide_names_every_number_and_its_labels() -> None:
    metrics = new_metrics(["sign_in_address"])
    metrics.request("query", "OK", 0.1)
    metrics.sample({"running": 0}, {"read": {"idle": 0}})
    there: dict[str, set[str]] = {}
    for name, labels in told(metrics).series:
        plain = re.sub("_(bucket|count|sum)$", "", name)
        there.setdefault(plain, set()).update({label for label, _ in labels} - {"le"})
    guide = (ROOT / "docs/watching.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(gql_app_\w+|process_\w+)` \| ([^|]*) \|", guide, re.MULTILINE)
    rows += [(name, "") for name in re.findall(r"^\| `(\w+)` \| \| ", guide, re.MULTILINE)]
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == there


def test_guide_names_every_result() -> None:
    guide = (ROOT / "docs/watching.md").read_text(encoding="utf-8")
    for value in (*SIGN_INS, *OPERATIONS, *Reading, *Lookup):
        assert f"`{value}`" in guide
