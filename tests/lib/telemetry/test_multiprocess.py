"""Metrics of several processes: what is left of those that were killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.laws import ROOT
from tests.scraping import parsed

THROTTLED = "gql_app_throttled_total"

COUNTING = """
import os, sys
from pathlib import Path
from gql_app.lib.telemetry import Labels, Metrics
labels = Labels(["OK"], [], [], [], ["sign_in_address"], [], [], [])
metrics = Metrics(labels, "1", Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
metrics.throttled["sign_in_address"].inc()
metrics.request("query", "OK", 0.1)
metrics.sample({"running": 1}, {})
sys.stdout.write(metrics.exposition("")[0].decode())
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
