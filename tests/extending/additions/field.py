"""A private field of Customer."""

import strawberry

from gql_app import Customer, Feature, extend


@extend(Customer, private=True)
class Initials(Customer):
    """The initials of a customer."""

    @strawberry.field
    def initials(self) -> str | None:
        """Return the first letters of the name."""
        return "".join(word[0] for word in self.name.split())


feature = Feature("badges", extensions=[Initials])
