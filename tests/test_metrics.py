"""What is counted: every word of it is written down."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gql_app.accounts.throttling import Throttle
from gql_app.errors import TokenReason, UserErrorCode
from gql_app.lib.telemetry.labels import LIMITS, OPERATIONS, REASONS, SIGN_INS
from gql_app.lib.telemetry.metrics import Metrics
from tests.laws import ROOT
from tests.scraping import parsed, told

THROTTLED = "gql_app_throttled_total"


def test_every_limit_of_the_rules_has_its_label() -> None:
    throttle = Throttle(key=b"a key of the tests", attempts=5, client_attempts=50, window=900)
    assert {*throttle.limits, "letter", "passwords"} == set(LIMITS)


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
    metrics = Metrics()
    for _ in range(2):
        metrics.request("query", outcome, 0.1)
    numbers = told(metrics)
    assert numbers.labels("outcome") == {label}
    assert numbers.of("gql_app_requests_total", operation="query", outcome=label) == 2


def test_several_applications_of_one_process_count_for_themselves() -> None:
    one, two = Metrics(), Metrics()
    one.throttled("sign-in")
    assert told(one).of(THROTTLED, limit="sign_in_address") == 1
    assert told(two).of(THROTTLED, limit="sign_in_address") == 0


def test_guide_names_every_number_and_its_labels() -> None:
    metrics = Metrics()
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


def test_guide_names_every_limit_and_result() -> None:
    guide = (ROOT / "docs/watching.md").read_text(encoding="utf-8")
    for value in (*LIMITS.values(), *SIGN_INS, *OPERATIONS):
        assert f"`{value}`" in guide


COUNTING = """
import os, sys
from pathlib import Path
from gql_app.lib.telemetry.metrics import Metrics
metrics = Metrics(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
metrics.throttled("sign-in")
metrics.request("query", "OK", 0.1)
metrics.sample({"running": 1}, {})
sys.stdout.write(metrics.told("")[0].decode())
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


def test_what_dead_processes_counted_stays_and_their_files_do_not(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for times in (1, 2, 3, 4):
        done = subprocess.run(  # noqa: S603 — the code above, with this very Python
            [sys.executable, "-c", COUNTING],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
        numbers = parsed(done.stdout)
        assert numbers.of(THROTTLED, limit="sign_in_address") == times
        seconds = "gql_app_request_duration_seconds"
        assert numbers.of(f"{seconds}_count", operation="query") == times
        assert numbers.of(f"{seconds}_bucket", operation="query", le="0.1") == times
        assert numbers.of("gql_app_passwords", state="running") == 1
        assert len(list(tmp_path.glob("counter_*"))) == min(times, 2)
