"""Flask, REST: PyJWT, SQLAlchemy's ORM on psycopg, one synchronous worker of gunicorn."""

import os
from base64 import urlsafe_b64encode
from typing import Final
from uuid import UUID

from flask import Flask, Response, jsonify, request
from jwt.exceptions import PyJWTError
from sqlalchemy import create_engine, select
from sqlalchemy.orm import sessionmaker

from bench.peers import signing
from bench.peers.tables import Customer

URL: Final = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
sessions: Final = sessionmaker(create_engine(URL))
app: Final = Flask(__name__)


@app.errorhandler(PyJWTError)
def _refuse(_: PyJWTError) -> tuple[Response, int]:
    error = {"message": "Sign in.", "extensions": {"code": "UNAUTHENTICATED"}}
    return jsonify({"errors": [error]}), 401


@app.get("/readyz")
def _ready() -> Response:
    return jsonify({})


@app.get("/me")
def _me() -> Response:
    claims = signing.verified(request.headers.get("Authorization"))
    with sessions() as db:
        row = db.get_one(Customer, UUID(claims["sub"]))
        shown = _shown(row)
    columns = ("id", "name", "email", "isAdmin", "createdAt")
    return jsonify({"data": {"me": {name: shown[name] for name in columns}}})


@app.get("/customers")
def _customers() -> Response:
    signing.verified(request.headers.get("Authorization"))
    first = int(request.args["first"])
    order = (Customer.created_at, Customer.id)
    with sessions() as db:
        rows = db.scalars(select(Customer).order_by(*order).limit(first + 1)).all()
        nodes = [_shown(row) for row in rows[:first]]
    stands = f"{nodes[-1]['createdAt']} {nodes[-1]['id']}"
    cursor = urlsafe_b64encode(stands.encode()).decode()
    page_info = {"hasNextPage": len(rows) > first, "endCursor": cursor}
    return jsonify({"data": {"customers": {"nodes": nodes, "pageInfo": page_info}}})


def _shown(row: Customer) -> dict[str, object]:
    return {
        "id": str(row.id),
        "name": row.name,
        "email": row.email,
        "phone": row.phone,
        "isActive": row.is_active,
        "isAdmin": row.is_admin,
        "createdAt": row.created_at.isoformat(),
        "updatedAt": row.updated_at.isoformat(),
    }
