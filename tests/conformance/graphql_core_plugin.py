"""A pytest plugin that runs graphql-core's tests with the compiled executor, and counts its use.

A name is a folder, a file, or a file with a class or a test. The run fails with a failure that
isn't listed, a listed failure that passes, a test whose operations graphql-core's own executor
runs but that isn't listed, and a listed name that fits no such test.
"""

from collections import Counter
from collections.abc import Generator, Mapping
from importlib import import_module
from typing import Any, Final

import graphql
import pytest

from bench.compiled_executor import CompiledExecutor

PLACE: Final = ("graphql.execution.execute", "IncrementalExecutor")
"""The attribute that graphql-core takes as the default executor."""
FOLDER: Final = "tests/execution/"
FAILING: Final[Mapping[str, str]] = {
    "test_nonnull.py::describe_nulls_a_complex_tree_of_nullable_fields_each::throws": (
        "coroutines that never wait fail depth first, so that their errors come in another order"
    ),
}
"""Tests that may fail with the compiled executor, and why."""
ARGUMENTS: Final = "arguments of fragments"
DELEGATED: Final[Mapping[str, str]] = {
    "incremental": "incremental delivery",
    "test_cancellation.py": "abort signals",
    "test_customize.py::uses_a_custom_field_resolver": "a resolver of the caller",
    "test_executor.py::uses_a_custom_field_resolver": "a resolver of the caller",
    "test_executor.py::uses_the_subscription_schema_for_subscriptions": "a subscription",
    "test_hooks.py": "hooks",
    "test_middleware.py": "middleware",
    "test_mutations.py::mutation_fields_with_defer_do_not_block_next_mutation": "@defer",
    "test_mutations.py::mutation_with_defer_is_not_executed_serially": "@defer",
    "test_sync.py::throws_if_encountering_async_iterable_execution_with_check_sync": "@defer",
    "test_sync.py::throws_if_encountering_async_iterable_execution_without_check_sync": "@defer",
    "test_variables.py::allows_custom_scalars_with_embedded_fragment_variables": ARGUMENTS,
    "test_variables.py::allows_custom_scalars_with_embedded_nested_fragment_variables": ARGUMENTS,
    "test_variables.py::describe_using_fragment_arguments": ARGUMENTS,
}
"""Tests in which graphql-core's own executor runs an operation, and the reason."""
COMPILED: Final = "compiled"
BY_GRAPHQL_CORE: Final = "run by graphql-core's executor"
NOT_EXECUTED: Final = "without an operation"


class Conformance:
    """Counts the operations of each executor."""

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()
        """Operations of the running test."""
        self.tests: Counter[str] = Counter()
        self.unneeded = set(DELEGATED)
        """Listed names that no test has needed so far."""
        self.whole = True
        """Whether no test is deselected."""

    def count(self, method: str, what: str) -> None:
        """Count the calls of a method of the executor."""
        inner = getattr(CompiledExecutor, method)

        def counted(executor: object, *arguments: object, **named: object) -> object:
            self.operations[what] += 1
            return inner(executor, *arguments, **named)

        setattr(CompiledExecutor, method, counted)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Check which executor ran a test's operations. Raise AssertionError if it isn't listed."""
        self.operations.clear()
        result = yield
        if self.operations[BY_GRAPHQL_CORE]:
            self.tests[BY_GRAPHQL_CORE] += 1
            names = {name for name in DELEGATED if _fits(item, name)}
            assert names, "graphql-core's own executor ran an operation: see DELEGATED."
            self.unneeded -= names
        else:
            self.tests[COMPILED if self.operations[COMPILED] else NOT_EXECUTED] += 1
        return result

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the listed failures as expected. Raise UsageError if one fits no test."""
        for name, reason in FAILING.items():
            found = [item for item in items if _fits(item, name)]
            if not found:
                message = f"FAILING names no test: {name}"
                raise pytest.UsageError(message)
            for item in found:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    def pytest_deselected(self) -> None:
        """Record that this is not the whole run."""
        self.whole = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the whole run if a listed name fits no test that needs graphql-core's executor."""
        if self.whole and self.unneeded and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the number of tests that passed, and of operations that were compiled."""
        if self.whole and self.unneeded:
            terminalreporter.write_line(f"DELEGATED without need: {', '.join(self.unneeded)}")
        told = ("passed", "failed", "xfailed")
        results = ", ".join(f"{len(terminalreporter.stats.get(key, ()))} {key}" for key in told)
        ways = ", ".join(f"{count} {way}" for way, count in self.tests.most_common())
        terminalreporter.write_line(f"graphql-core {graphql.version}: {results}; {ways}.")


def pytest_configure(config: pytest.Config) -> None:
    """Install the compiled executor as the default."""
    module, name = import_module(PLACE[0]), PLACE[1]
    assert issubclass(CompiledExecutor, getattr(module, name))
    setattr(module, name, CompiledExecutor)
    conformance = Conformance()
    conformance.count("execute_operation", COMPILED)
    conformance.count("execute_collected_root_fields", BY_GRAPHQL_CORE)
    config.pluginmanager.register(conformance)


def _fits(item: pytest.Item, name: str) -> bool:
    """Return whether a name is that of a test, or of its class, file or folder."""
    file, *parts = item.nodeid.removeprefix(FOLDER).split("::")
    place, *wanted = name.split("::")
    return (file == place or file.startswith(f"{place}/")) and set(wanted) <= set(parts)
