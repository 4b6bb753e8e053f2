"""An application whose tokens are signed by a stand-in for a key service."""

from gql_app import Feature, create_app
from tests.signers import KeyService

app = create_app(features=[Feature("signing", signer=KeyService())])
