"""An error code for payloads."""

from gql_app import Feature, Person, Refused


def _not_blue(password: str, _customer: Person) -> None:
    if "blue" in password:
        raise Refused("BLUE", "Not this colour.")


feature = Feature("colours", error_codes=["BLUE"], password_rules=[_not_blue])
