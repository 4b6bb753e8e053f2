"""The program: `uvicorn main:app` serves it, `python main.py` is its command line."""

from gql_app.app import create_app
from gql_app.cli import run

if __name__ == "__main__":
    run()
else:
    app = create_app()
