"""Types of settings: what they take, and that no fault repeats a secret."""

import pytest
from pydantic import BaseModel, ValidationError

from gql_app.lib.setting_types import DatabaseUrl, Origins, Port, SecretKey


class Settings(BaseModel):
    """The README's example, with a secret."""

    database: DatabaseUrl = "sqlite:///app.db"
    origins: Origins = ()
    port: Port = 8000
    key: SecretKey | None = None


def test_good_values_are_taken_as_they_are() -> None:
    chosen = Settings(database="postgresql://u:p@db/app", origins="https://app.example.com")
    assert (chosen.database, chosen.origins) == (
        "postgresql://u:p@db/app",
        ("https://app.example.com",),
    )


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        ({"database": "mysql://u:hidden@db/app"}, "must start with sqlite:/// or postgresql://"),
        ({"database": "postgresql://u:hidden@db:x/app"}, "must read postgresql://user:password@"),
        ({"origins": "https://app.example.com/"}, "must be origins as browsers send them"),
        ({"key": "hidden"}, "must be at least 32 bytes long, not 6"),
    ],
)
def test_fault_says_what_the_value_must_be(faulty: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(faulty)
    (error,) = caught.value.errors()
    assert words in error["msg"]
    assert "hidden" not in error["msg"]
