"""The garbage collector: what lives as long as the server's process is not collected."""

import sys

from tests.processes import ROOT, run

FEW = 1_000
"""More objects than those of which the collector keeps track; the imports leave 27,000."""
SERVER = """
import atexit, gc
atexit.register(lambda: print(len(gc.get_objects())))  # the last handler to run
from gql_app.lib.server.serving import Config, tuned_gc
Config("starlette.applications:Starlette", factory=True, log_config=None).load()
print(gc.isenabled(), len(gc.get_objects()))
with tuned_gc():
    pass
print(len(gc.get_objects()))
"""


def test_objects_of_the_start_are_exempt_once_loaded_and_when_the_process_exits() -> None:
    done = run([sys.executable, "-c", SERVER], ROOT)
    enabled, *numbers = done.stdout.split()
    assert enabled == "True", done.stderr
    loaded, after_serving, exiting = map(int, numbers)
    assert max(loaded, exiting) < FEW < after_serving
