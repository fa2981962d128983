#!/usr/bin/env bash
# A running gateway against its own /openapi.json: schemathesis (PyPI) makes requests, right and wrong ones, and judges the answers:
# no 500, every status and body as described, wrong input refused, right input taken. About half a minute, on loopback, on memory.
#
# Usage: scripts/schemathesis.sh [SECONDS]     last line: "N passed, N failed[, N skipped]"; exit 1 when one failed
# Needs a built gateway (WATCHPARTY_BINARY, else the debug build) and scripts/install-api-tools.sh. What is left out, and why, is in
# tests/api/schemathesis.toml.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
binary=${WATCHPARTY_BINARY:-$target/debug/watchparty}
tools=$target/api/python/bin
seconds=${1:-30}
[ -x "$binary" ] || { echo "no gateway at $binary: cargo build" >&2 && exit 1; }
if [ ! -x "$tools/st" ]; then
  echo "SKIPPED schemathesis: it could not be had from PyPI (scripts/install-api-tools.sh); the gateway is not held against /openapi.json" >&2
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi

work=$(mktemp -d)
gateway=
finish() {
  if [ -n "$gateway" ]; then kill -KILL "$gateway" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
off=()
for scope in CREATE JOIN LOOKUP PUBLISH CONNECT JOIN_FAILURES; do off+=("RATE_LIMIT_$scope=off"); done
env -i PATH="$PATH" "${off[@]}" HOST=127.0.0.1 PORT="$port" BCRYPT_COST=4 LOG_LEVEL=warn JWT_SECRET="$("$binary" gen-secret)" \
  "$binary" serve >"$work/gateway.log" 2>&1 </dev/null &
gateway=$!
url=http://127.0.0.1:$port
for _ in $(seq 1 300); do
  curl -sf -o /dev/null "$url/health/ready" && break
  sleep 0.1
done

passed=0
failed=0
told() { # exit status, what, and the file that says why
  if [ "$1" -eq 0 ]; then
    passed=$((passed + 1)) && echo "ok $2"
  else
    failed=$((failed + 1)) && echo "FAILED $2"
    tail -n 60 "$3" | sed 's/^/  /'
  fi
}

status=0
curl -sS "$url/openapi.json" -o "$work/openapi.json"
"$tools/openapi-spec-validator" "$work/openapi.json" >"$work/valid" 2>&1 || status=$?
told "$status" "/openapi.json is OpenAPI 3.1" "$work/valid"

created=$(curl -sS "$url/api/sessions/create" -H 'content-type: application/json' \
  -d '{"name":"Movie night","password":"popcorn","display_name":"Ada"}')
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <<<"$created"; }
SESSION=$(field id)
HOST_TOKEN=$(field token)
export SESSION HOST_TOKEN
status=0
(cd "$work" && "$tools/st" --config-file "$root/tests/api/schemathesis.toml" --no-color run "$work/openapi.json" --url "$url" \
  --phases coverage,fuzzing --max-examples 20 --max-time "$seconds" --checks all --warnings off) >"$work/st" 2>&1 || status=$?
told "$status" "the gateway keeps what /openapi.json says ($(sed -n 's/^  \([0-9]* generated\).*/\1/p' "$work/st"))" "$work/st"

status=0
kill -0 "$gateway" 2>/dev/null || status=1
grep -qE 'ERROR|panicked' "$work/gateway.log" && status=1
told "$status" "and neither fell nor found a bug of its own" "$work/gateway.log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
