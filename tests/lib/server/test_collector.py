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


PROGRAM = """
from gql_app.lib.server import tuned_gc
class Draft:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("saved")
draft = Draft()
with tuned_gc():
    pass
"""


def test_program_that_runs_an_application_collects_its_own_objects_when_it_exits() -> None:
    done = run([sys.executable, "-c", PROGRAM], ROOT)
    assert done.stdout == "saved\n", done.stderr
