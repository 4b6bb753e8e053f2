#!/bin/sh
# Signs in, lists ten customers, refreshes the tokens and signs out, with curl and python3.
# Reads URL, EMAIL and PASSWORD from the environment; prints and stores no token.
set -eu
if [ -z "${URL-}" ] || [ -z "${EMAIL-}" ] || [ -z "${PASSWORD-}" ]; then
    echo "Set URL, EMAIL and PASSWORD." >&2
    exit 1
fi
# All users of the machine can see a program's arguments, so no secret is among them.
export EMAIL PASSWORD REFRESH_TOKEN= TOKEN=

# ask QUERY: run an operation with the variables above, and print its answer. On a 503 curl waits
# for Retry-After and retries; all operations here are idempotent.
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

# pick FIELD PATH: print the value in an answer; exit with its error if there is none.
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
