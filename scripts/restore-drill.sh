#!/usr/bin/env bash
# A restore that was never tried is a hope: this one is tried, on loopback, with a real Redis and a running gateway.
#
#   people talk -> backup -> they talk on -> Redis dies and its disk with it -> the trap -> the restore -> what clients are told
#
# Usage: scripts/restore-drill.sh     last line: "N passed, N failed"; exit 1 when one failed. Needs redis-server, curl, python3 and
#        a built gateway (WATCHPARTY_BINARY, else the debug build). docs/guides/redis.md has the same steps for a real one.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
gateway_binary=${WATCHPARTY_BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/watchparty}
for program in redis-server redis-cli curl python3; do
  command -v "$program" >/dev/null 2>&1 ||
    { echo "SKIPPED the restore drill: no $program" >&2 && echo "0 passed, 0 failed, 1 skipped" && exit 0; }
done
[ -x "$gateway_binary" ] || { echo "no gateway at $gateway_binary: cargo build" >&2 && exit 1; }

work=$(mktemp -d)
redis_pid=
gateway_pid=
finish() {
  local pid
  for pid in $gateway_pid $redis_pid; do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
spare_port=$(free_port)
http_port=$(free_port)
gateway=http://127.0.0.1:$http_port

passed=0
failed=0
same() { # what, is, should be
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1)) && echo "ok $1: $2"
  else
    failed=$((failed + 1)) && echo "FAILED $1: is '$2', should be '$3'"
  fi
}

# Until a command succeeds, for at most 30 s: a machine under load is slow, a broken one must not hang.
until_true() {
  local what=$1
  shift
  for _ in $(seq 1 300); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "FAILED waiting: $what" >&2
  tail -n 5 "$work/gateway.log" "$work/redis.log" >&2 2>/dev/null || true
  exit 1
}

redis() { redis-cli -p "$1" "${@:2}"; }
answers() { [ "$(redis "$1" ping)" = PONG ]; }
start_redis() { # port, folder, more settings
  redis-server --bind 127.0.0.1 --port "$1" --dir "$2" --appendfsync everysec --save "3600 1" \
    --maxmemory-policy noeviction --daemonize no "${@:3}" >>"$work/redis.log" 2>&1 </dev/null &
  redis_pid=$!
  until_true "Redis on port $1" answers "$1"
}
stop_redis() { # port, and what the shutdown is to write
  redis "$1" shutdown "${@:2}" >/dev/null 2>&1 || true
  wait "$redis_pid" 2>/dev/null || true
  redis_pid=
}

# The value at a path of JSON on standard input, such as entries.-1.seq; "none" where there is none.
at() {
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for step in sys.argv[1].split("."):
    try:
        value = value[int(step)] if isinstance(value, list) else value[step]
    except (KeyError, IndexError):
        value = "none"
        break
print(str(value).lower() if isinstance(value, bool) else value)' "$1"
}
post() { curl -sS -X POST "$gateway$1" -H 'content-type: application/json' "${@:3}" -d "$2"; }
create() { post /api/sessions/create "{\"name\":\"$1\",\"password\":\"popcorn\",\"display_name\":\"Ada\"}"; }
say() { # session, token, key: the position of what was said
  post "/api/sessions/$1/messages" "{\"type\":\"chat\",\"data\":{\"text\":\"$3\"}}" -H "authorization: Bearer $2" -H "idempotency-key: $3"
}
log_since() { # session, token, epoch, after
  curl -sS "$gateway/api/sessions/$1/messages?epoch=$3&after=$4" -H "authorization: Bearer $2"
}
status() { curl -sS -o /dev/null -w '%{http_code}' "$gateway$1"; }
ready_is() { [ "$(status /health/ready)" = "$1" ]; }
# The first event of a stream that resumes at a position: its type, and in `data` what it says.
resume() { # session, token, epoch, seq
  curl -sSN --max-time 10 "$gateway/api/sessions/$1/events?epoch=$3&seq=$4" -H "authorization: Bearer $2" 2>/dev/null |
    sed -n '/^data: /{s/^data: //p;q}' || true
}

echo "drill: a Redis with an append-only file, a gateway, a session in which five things are said"
mkdir "$work/first"
start_redis "$port" "$work/first" --appendonly yes
env -i PATH="$PATH" HOST=127.0.0.1 PORT="$http_port" REDIS_URL="redis://127.0.0.1:$port" BCRYPT_COST=4 \
  JWT_SECRET="$("$gateway_binary" gen-secret)" "$gateway_binary" serve >"$work/gateway.log" 2>&1 </dev/null &
gateway_pid=$!
until_true "the gateway to be ready" ready_is 200
kept=$(create "Kept")
kept_id=$(at id <<<"$kept") kept_token=$(at token <<<"$kept")
for word in one two three four five; do spoken=$(say "$kept_id" "$kept_token" "$word"); done
epoch=$(at epoch <<<"$spoken") at_backup=$(at seq <<<"$spoken")

echo "drill: the backup (redis-cli --rdb) by the guide's own user, off the host it would be"
mkdir "$work/backup"
read -ra backup_user < <(sed -n 's/^user backup //p' "$root/docs/guides/redis.md")
same "the guide's user is taken" "$(redis "$port" acl setuser backup "${backup_user[@]}")" OK
REDISCLI_AUTH=CHANGE-ME redis-cli -p "$port" --user backup --rdb "$work/backup/dump.rdb" >/dev/null 2>&1
refused=$(REDISCLI_AUTH=CHANGE-ME redis-cli -p "$port" --user backup dbsize 2>&1 || true)
same "that user may do nothing else" "${refused%% *}" NOPERM
same "the backup is a sound RDB file" "$(redis-check-rdb "$work/backup/dump.rdb" 2>/dev/null | grep -c 'RDB looks OK')" 1
keys=$(redis "$port" dbsize)

echo "drill: they talk on for three words, and somebody creates another session"
for word in six seven eight; do spoken=$(say "$kept_id" "$kept_token" "$word"); done
at_loss=$(at seq <<<"$spoken")
lost_id=$(create "Lost" | at id)

echo "drill: Redis is killed, its disk is gone"
kill -KILL "$redis_pid" && wait "$redis_pid" 2>/dev/null || true
redis_pid=
rm -rf "$work/first"
until_true "the gateway to notice" ready_is 503
same "the gateway lives without Redis" "$(status /health/live)" 200

echo "drill: the trap (the backup in place, appendonly yes), on a port where no gateway sees it"
mkdir "$work/trap" && cp "$work/backup/dump.rdb" "$work/trap/"
start_redis "$spare_port" "$work/trap" --appendonly yes
same "with appendonly yes and no such file Redis ignores dump.rdb" "$(redis "$spare_port" dbsize)" 0
stop_redis "$spare_port" nosave

echo "drill: the restore: appendonly no, count, switch the file on, wait for it, stop; then the usual settings and port"
mkdir "$work/second" && cp "$work/backup/dump.rdb" "$work/second/"
start_redis "$spare_port" "$work/second" --appendonly no
same "keys restored" "$(redis "$spare_port" dbsize)" "$keys"
redis "$spare_port" config set appendonly yes >/dev/null
rewritten() { redis "$spare_port" info persistence | tr -d '\r' | grep -qx aof_rewrite_in_progress:0 &&
  redis "$spare_port" info persistence | tr -d '\r' | grep -qx aof_last_bgrewrite_status:ok &&
  ls "$work"/second/appendonlydir/*.base.rdb; }
until_true "the append-only file to be written" rewritten
stop_redis "$spare_port"
start_redis "$port" "$work/second" --appendonly yes
same "keys after a start with the usual settings" "$(redis "$port" dbsize)" "$keys"

echo "drill: the gateway comes back by itself, and says what is lost"
until_true "the gateway to be ready again" ready_is 200
same "the session of the backup is there" "$(status "/api/sessions/$kept_id")" 200
same "the session created after it is not" "$(status "/api/sessions/$lost_id")" 404
page=$(log_since "$kept_id" "$kept_token" "$epoch" "$at_loss")
same "a poller past the backup is told" "$(at recovered <<<"$page") $(at reason <<<"$page")" "false diverged"
same "the log ends where the backup ended" "$(at head <<<"$page")" "$at_backup"
page=$(log_since "$kept_id" "$kept_token" "$epoch" "$at_backup")
same "a poller at the backup goes on" "$(at recovered <<<"$page")" true
spoken=$(say "$kept_id" "$kept_token" "again")
same "the next number follows the backup's" "$(at seq <<<"$spoken")" "$((at_backup + 1))"
same "under a new epoch" "$([ "$(at epoch <<<"$spoken")" != "$epoch" ] && echo new || echo old)" new
welcome=$(resume "$kept_id" "$kept_token" "$epoch" "$at_loss")
same "who resumes past the backup is told" "$(at type <<<"$welcome") $(at data.recovered <<<"$welcome") $(at data.reason <<<"$welcome")" \
  "welcome false diverged"
same "five words are what the log has, and the new one" \
  "$(curl -sS "$gateway/api/sessions/$kept_id/messages" -H "authorization: Bearer $kept_token" |
    python3 -c 'import json, sys; print(*[e["data"]["text"] for e in json.load(sys.stdin)["entries"] if e["type"] == "chat"])')" \
  "one two three four five again"

kill -TERM "$gateway_pid"
ended=0
wait "$gateway_pid" || ended=$?
gateway_pid=
same "the gateway drains and ends" "$ended" 0
stop_redis "$port" nosave
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
