"""A plugin of pytest: graphql-core's tests get the compiled executor, and some are left out.

A name is a file's, with or without that of a test or of a group of tests. One that fits no test
fails the run, and so does a test that is listed as failing and passes.
"""

from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from pkgutil import resolve_name
from typing import Any, Final

import graphql
import pytest

OURS: Final = "gql_app.lib.engine:CompiledExecutor"
"""The executor that is tried, as pkgutil.resolve_name has it."""
PLACES: Final = (
    ("graphql.execution.execute", "IncrementalExecutor"),
    ("graphql.execution", "Executor"),
)
"""Where graphql-core looks for an executor, if it is given none, and where its tests do."""
FOLDER: Final = "tests/execution"
INCREMENTAL: Final = (
    "incremental",
    "test_cancellation.py::does_not_wrap_aborts_after_the_initial_result",
    "test_cancellation.py::raises_the_aborted_execution_error_while_incremental_result_is_pending",
    "test_executor_throwing_on_incremental.py",
    "test_hooks.py::fires_async_work_finished_after_all_incremental_payloads_are_delivered",
    "test_mutations.py::mutation_fields_with_defer_do_not_block_next_mutation",
    "test_mutations.py::mutation_with_defer_is_not_executed_serially",
    "test_sync.py::throws_if_encountering_async_iterable_execution_with_check_sync",
    "test_sync.py::throws_if_encountering_async_iterable_execution_without_check_sync",
)
"""What is delivered bit by bit, which graphql-core's own executor does."""
SUBSCRIPTIONS: Final = (
    "test_cancellation.py::stops_the_execution_when_aborted_during_async_returned_subscription",
    "test_cancellation.py::stops_the_execution_when_aborted_during_subscription",
    "test_cancellation.py::stops_the_execution_when_aborted_prior_to_return_of_subscription",
    "test_cancellation.py::successfully_wraps_the_subscription",
    "test_customize.py::describe_customize_subscription",
    "test_executor.py::uses_the_subscription_schema_for_subscriptions",
    "test_map_async_iterable.py",
    "test_middleware.py::subscription_simple",
    "test_subscribe.py",
    "test_too_deeply_nested_selections.py::create_source_event_stream_returns_a_result_with_the_error",
    "test_too_deeply_nested_selections.py::subscribe_returns_a_result_with_the_error",
)
"""Subscriptions, which graphql-core executes as well."""
COMPONENTS: Final = (
    "test_aborted_graphql_execution_error.py",
    "test_cancellation.py::describe_abort_controller",
    "test_collect_fields.py",
    "test_execution_result.py",
    "test_executor.py::deduplicates_errors_at_nulled_positions",
    "test_executor.py::memoizes_collect_subfields_results",
    "test_executor.py::retains_memoization_keys_until_execution_finishes",
    "test_variables.py::describe_get_variable_values_explicit_undefined_values",
    "test_variables.py::describe_get_variable_values_limit_maximum_number_of_coercion_errors",
)
"""Parts of graphql-core that are tried alone, with no executor, or with one of the test's own."""
LEFT_OUT: Final = (*INCREMENTAL, *SUBSCRIPTIONS, *COMPONENTS)
FAILING: Final[Mapping[str, str]] = {}
"""Tests that fail with the compiled executor, and the reason why each may."""
_counts: Final[Counter[str]] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let another executor be tried: graphql-core's own shows what its tests say of it."""
    parser.addoption("--executor", default=OURS, help="module:name of the class to try")


def pytest_configure(config: pytest.Config) -> None:
    """Put the executor where it is looked for, and count what it executes."""
    executor: Any = resolve_name(config.getoption("executor"))
    if executor is graphql.Executor:
        executor = type("BaseExecutor", (executor,), {})  # which others don't inherit from
    for module, name in PLACES:
        place = import_module(module)
        assert issubclass(getattr(place, name), graphql.Executor)
        setattr(place, name, executor)
    _count(executor, "execute_operation", "executed")
    _count(executor, "execute_collected_root_fields", "by graphql-core")


def _count(executor: type[Any], method: str, what: str) -> None:
    """Count the calls of an executor's method."""
    inner = getattr(executor, method)

    def counted(self: object, *arguments: object, **named: object) -> object:
        _counts[what] += 1
        return inner(self, *arguments, **named)

    setattr(executor, method, counted)


@pytest.hookimpl(tryfirst=True)  # before -k leaves out more
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is named, and expect failures that are listed. Raise UsageError for a typo."""
    out = [item for item in items if any(_fits(item, name) for name in LEFT_OUT)]
    names = (*LEFT_OUT, *FAILING)
    if stray := [name for name in names if not any(_fits(item, name) for item in items)]:
        message = f"No test has these names: {', '.join(stray)}"
        raise pytest.UsageError(message)
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]
    for name, reason in FAILING.items():
        for item in items:
            if _fits(item, name):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _fits(item: pytest.Item, name: str) -> bool:
    """Return whether a test has a name, or is of what has it."""
    file, *parts = item.nodeid.removeprefix(f"{FOLDER}/").split("::")
    place, _, part = name.partition("::")
    return (file == place or file.startswith(f"{place}/")) and (not part or part in parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was tried, and by whom it was executed."""
    stats = terminalreporter.stats
    told = {
        "pass": "passed",
        "fail": "failed",
        "fail as listed": "xfailed",
        "are left out": "deselected",
    }
    lines = [f"{len(stats.get(key, ()))} {what}" for what, key in told.items()]
    terminalreporter.write_line(
        f"graphql-core {graphql.version}: of its tests of execution {', '.join(lines)}; "
        f"{_counts['executed']} operations, of which graphql-core's executor ran "
        f"{_counts['by graphql-core']}"
    )
