#!/bin/sh
# Signs in, lists ten customers, refreshes the tokens and signs out, with curl and python3.
# Takes URL, EMAIL and PASSWORD from the environment; shows no token and keeps none.
set -eu
if [ -z "${URL-}" ] || [ -z "${EMAIL-}" ] || [ -z "${PASSWORD-}" ]; then
    echo "Set URL, EMAIL and PASSWORD." >&2
    exit 1
fi
# Anybody on the machine sees a program's arguments, so no secret is among them.
export EMAIL PASSWORD REFRESH_TOKEN= TOKEN=

# ask QUERY: run an operation with the variables above, and print its answer. On a 503 curl waits
# for Retry-After and tries again; all that is sent here may run twice.
ask() {
    QUERY=$1 python3 -c '
import json, os
names = {"email": "EMAIL", "password": "PASSWORD", "refreshToken": "REFRESH_TOKEN"}
query = os.environ["QUERY"]
variables = {name: os.environ[kept] for name, kept in names.items() if f"${name}" in query}
print("header = \"Content-Type: application/json\"")
if os.environ["TOKEN"]:
    print("header =", json.dumps("Authorization: Bearer " + os.environ["TOKEN"]))
print("data =", json.dumps(json.dumps({"query": query, "variables": variables})))
' | curl --silent --show-error --fail --retry 2 --config - "$URL"
}

# pick FIELD PATH: print what an answer holds there; end with its refusal if it holds none.
pick() {
    python3 -c '
import json, sys
answer = json.load(sys.stdin)
for error in answer.get("errors", []):
    sys.exit("{}: {}".format(error["extensions"].get("reason", "refused"), error["message"]))
field, name = sys.argv[1:]
payload = answer["data"][field]
for error in payload.get("errors", []):
    sys.exit("{}: {}".format(error["code"], error["message"]))
found = payload[name]
print(*(each["name"] for each in found) if isinstance(found, list) else [found], sep="\n")
' "$@"
}

WITH_TOKENS='{ errors { code message } token refreshToken }'

answer=$(ask 'mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) '"$WITH_TOKENS"' }')
TOKEN=$(printf %s "$answer" | pick login token)
REFRESH_TOKEN=$(printf %s "$answer" | pick login refreshToken)

answer=$(ask 'query Customers { customers(first: 10) { nodes { name } } }')
printf %s "$answer" | pick customers nodes

answer=$(ask 'mutation Refresh($refreshToken: String!) {
  refresh(refreshToken: $refreshToken) '"$WITH_TOKENS"' }')
TOKEN=$(printf %s "$answer" | pick refresh token)

answer=$(ask 'mutation SignOut { logout { message } }')
printf %s "$answer" | pick logout message
