"""How many files a request passes: a reader who follows it opens as many."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

import pytest

from tests.api import Api
from tests.laws import PACKAGE, ROOT, is_core, name_of
from tests.people import PASSWORD, Person

PAGE = "{ customers(first: 50) { nodes { id name } pageInfo { hasNextPage } } }"
LOGIN = """
mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { token message errors { code } }
}
"""
CODE = f"{ROOT / PACKAGE}/"
SERVER = "lib.server."
"""What is not counted: the application runs without it here."""
_within: ContextVar[bool] = ContextVar("within", default=False)
"""Whether a call is the request's, and not of a task that runs beside it."""


@contextmanager
def entered(modules: set[str]) -> Iterator[None]:
    """Take down the modules of ours whose functions are called, the server's left out."""

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(CODE) and _within.get():
            module = name_of(Path(file))
            if not module.startswith(SERVER):
                modules.add(module)

    token = _within.set(True)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        _within.reset(token)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("asked", "core", "in_all"),
    [("page", 7, 24), ("login", 9, 26), ("refusal", 5, 14)],
)
async def test_a_request_passes_few_files(
    api: Api, plain: Person, asked: str, core: int, in_all: int
) -> None:
    async def ask() -> None:
        if asked == "login":
            answer = await api.run(LOGIN, email=plain.email, password=PASSWORD)
            assert answer.data["login"]["token"]
        else:
            answer = await api.run(PAGE, token=plain.token if asked == "page" else None)
            assert bool(answer.errors) == (asked == "refusal")

    await ask()
    modules: set[str] = set()
    with entered(modules):
        await ask()
    inside = {module for module in modules if is_core(module)}
    assert len(inside) <= core, sorted(inside)
    assert len(modules) <= in_all, sorted(modules)
    database = {module for module in modules if module.startswith("lib.database.")}
    assert len(database) <= 4, sorted(database)
