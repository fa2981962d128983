#!/usr/bin/env bash
# Two nodes and a Redis behind each proxy of ops/proxies in turn, watched by Prometheus: two people meet through the proxy, and
# Prometheus sees both nodes. Everything listens on loopback, on ports of its own; the configurations are the ones that are shipped, with
# other addresses in them.
#
# Usage: scripts/proxies.sh           last line: "N passed, N failed[, N skipped]"; exit 1 when one failed
# Needs redis-server, python3, curl and a built gateway (WATCHPARTY_BINARY, else the debug build). nginx, haproxy, caddy and prometheus come
# from Debian's packages, unpacked under the target directory and not installed; one that cannot be had is skipped, in a loud line.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
binary=${WATCHPARTY_BINARY:-$target/debug/watchparty}
tools=$target/proxies
[ -x "$binary" ] || { echo "no gateway at $binary: cargo build" >&2 && exit 1; }

work=$(mktemp -d)
chmod 0755 "$work"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

passed=0
failed=0
skipped=0
good() { passed=$((passed + 1)) && echo "ok $1"; }
bad() { # what, and the file that says why
  failed=$((failed + 1)) && echo "FAILED $1"
  tail -n 15 "$2" | sed 's/^/  /'
}
skip() { skipped=$((skipped + 1)) && echo "SKIPPED $1" >&2; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
until_true() { # at most 30 s
  for _ in $(seq 1 300); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  return 1
}
answers() { curl -sSf -o /dev/null --max-time 2 "$1"; }

# A program out of Debian's packages, with the libraries that this machine lacks; nothing is installed, no service starts.
get() { # program, packages
  local program=$1
  shift
  if [ -e "$tools/$program/done" ] || command -v "$program" >/dev/null 2>&1; then return; fi
  command -v apt-get >/dev/null 2>&1 || return 1
  local debs=$work/debs
  rm -rf "$debs" && mkdir "$debs" && chmod 0777 "$debs"
  (cd "$debs" && { apt-get download "$@" >log 2>&1 || { apt-get update --quiet >>log 2>&1 && apt-get download "$@" >>log 2>&1; }; }) || return 1
  rm -rf "${tools:?}/$program" && mkdir -p "$tools"
  for deb in "$debs"/*.deb; do dpkg-deb --extract "$deb" "$tools/$program" || return 1; done
  touch "$tools/$program/done"
}
start() { # program, log, arguments; its folder is $work
  local found
  found=$(find "$tools/$1/usr/sbin" "$tools/$1/usr/bin" -name "$1" 2>/dev/null | head -n 1 || true)
  (
    cd "$work"
    exec env LD_LIBRARY_PATH="$tools/$1/usr/lib/$(uname -m)-linux-gnu" XDG_CONFIG_HOME="$work" XDG_DATA_HOME="$work" \
      "${found:-$1}" "${@:3}"
  ) >"$2" 2>&1 </dev/null &
  pids+=("$!")
  # No word from the shell when it is killed.
  disown "$!"
}

redis_port=$(free_port)
redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$work" --appendonly yes --maxmemory-policy noeviction \
  >"$work/redis.log" 2>&1 </dev/null &
pids+=("$!")
secret=$("$binary" gen-secret)
ports=()
admin_ports=()
for node in 1 2; do
  ports+=("$(free_port)")
  admin_ports+=("$(free_port)")
  env -i PATH="$PATH" HOST=127.0.0.1 PORT="${ports[-1]}" ADMIN_ADDR="127.0.0.1:${admin_ports[-1]}" BCRYPT_COST=4 \
    REDIS_URL="redis://127.0.0.1:$redis_port" JWT_SECRET="$secret" TRUSTED_PROXIES=127.0.0.1/32 \
    "$binary" serve >"$work/node$node.log" 2>&1 </dev/null &
  pids+=("$!")
done
for node in 0 1; do
  until_true answers "http://127.0.0.1:${ports[$node]}/health/ready" || { bad "node $((node + 1)) is ready" "$work/node$((node + 1)).log" && exit 1; }
done

# The shipped file with the addresses of here.
placed() { # file, port
  sed -e "s/node1:8080/127.0.0.1:${ports[0]}/; s/node2:8080/127.0.0.1:${ports[1]}/" \
    -e "s/node1:9090/127.0.0.1:${admin_ports[0]}/; s/node2:9090/127.0.0.1:${admin_ports[1]}/" \
    -e "s/listen 8080;/listen 127.0.0.1:$2;/; s/bind :8080\$/bind 127.0.0.1:$2/; s/^:8080 {/http:\/\/127.0.0.1:$2 {/" \
    -e "s|access_log off;|access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;|" \
    -e "s/worker_connections 65536/worker_connections 512/; s/maxconn 100000/maxconn 200/" "$1"
}

try() { # proxy, its file, the packages it is in, then its arguments with FILE in them
  local name=$1 file=$2 packages=$3 port
  shift 3
  # shellcheck disable=SC2086  # several words are several packages
  if ! get "$name" $packages; then skip "$name: Debian's packages could not be had; $file was not tried" && return; fi
  port=$(free_port)
  placed "$root/$file" "$port" >"$work/$(basename "$file")"
  start "$name" "$work/$name.log" "${@//FILE/$work/$(basename "$file")}"
  local pid=${pids[-1]}
  if ! until_true answers "http://127.0.0.1:$port/health/ready"; then bad "$name starts on $file" "$work/$name.log" && return; fi
  good "$name starts on $file and finds a node that is ready"
  if "$binary" doctor --url "http://127.0.0.1:$port" >"$work/doctor" 2>&1; then
    good "two people meet through $name: $(sed -n 's/^ok *delivery *//p' "$work/doctor")"
  else
    bad "two people meet through $name" "$work/doctor"
  fi
  # Several times, as each connection may go to the other node; the stream's first event has to come at once, not when the proxy's buffer is full.
  if streams "http://127.0.0.1:$port" >"$work/streams" 2>&1; then good "event streams pass $name unheld"; else bad "event streams pass $name unheld" "$work/streams"; fi
  # What a client claims about its own address must not reach the gateway.
  if forges "http://127.0.0.1:$port" >"$work/forges" 2>&1; then good "a forged address does not pass $name"; else bad "a forged address does not pass $name" "$work/forges"; fi
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
streams() {
  local created
  created=$(curl -sS "$1/api/sessions/create" -H 'content-type: application/json' -d '{"name":"Movie night","password":"popcorn","display_name":"Ada"}')
  echo "$created"
  for _ in 1 2 3 4; do
    { curl -sSN --max-time 5 "$1/api/sessions/$(field id <<<"$created")/events" -H "authorization: Bearer $(field token <<<"$created")" || true; } |
      sed -n '/^event: welcome/{p;q}' | grep -q welcome || { echo "no welcome within 5 s" && return 1; }
  done
}
# The limit on lookups is 300 a minute for each address: from one address it ends after so many, however many are claimed. Each time from an
# address of its own, whose bucket is full.
source=1
forges() {
  local codes
  source=$((source + 1))
  for index in $(seq 1 420); do
    [ "$index" -eq 1 ] || echo next
    printf 'url = "%s/api/sessions/00000000-0000-4000-8000-%012d"\noutput = "/dev/null"\nheader = "X-Forwarded-For: 203.0.113.%d"\n' \
      "$1" "$index" "$((index % 250 + 1))"
    printf '%s\n' 'write-out = "%{http_code}\n"'
  done >"$work/urls"
  codes=$(curl -sS --interface "127.0.0.$source" --config "$work/urls" | sort | uniq -c)
  echo "$codes"
  grep -q ' 429$' <<<"$codes"
}

# The check can fail at all: straight to a node, from the address that it trusts, every claim is believed.
source=0
if forges "http://127.0.0.1:${ports[0]}" >"$work/forges" 2>&1; then bad "without a proxy a claim from a trusted address counts" "$work/forges"; else good "without a proxy a claim from a trusted address counts"; fi

try nginx ops/proxies/nginx.conf "nginx" -e "$work/nginx.err" -p "$work" -c FILE -g "daemon off;"
try haproxy ops/proxies/haproxy.cfg "haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1" -W -db -f FILE
try caddy ops/proxies/Caddyfile "caddy" run --adapter caddyfile --config FILE
skip "traefik: neither Debian nor PyPI nor npm has it; ops/proxies/traefik.yml was not tried"

if ! get prometheus prometheus; then
  skip "prometheus: Debian's package could not be had; ops/prometheus/prometheus.yml was not tried"
else
  prometheus=http://127.0.0.1:$(free_port)
  placed "$root/ops/prometheus/prometheus.yml" 0 | sed 's/: 15s/: 1s/' >"$work/prometheus.yml"
  cp "$root/helm/files/alerts.yml" "$work/"
  start prometheus "$work/prometheus.log" --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address="${prometheus#http://}"
  count() { curl -sSfG "$prometheus/api/v1/query" --data-urlencode "query=$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["result"][0]["value"][1])'; }
  both() { [ "$(count 'sum(up{job="watchparty"})')" = 2 ] && [ "$(count 'sum(watchparty_ready)')" = 2 ]; }
  if until_true both; then good "Prometheus scrapes both nodes by ops/prometheus/prometheus.yml"; else bad "Prometheus scrapes both nodes" "$work/prometheus.log"; fi
  recorded() { [ "$(count 'count(job:watchparty_publish_errors:ratio_rate5m)')" = 1 ]; }
  if until_true recorded; then good "and evaluates the chart's rules"; else bad "and evaluates the chart's rules" "$work/prometheus.log"; fi
fi

echo "$passed passed, $failed failed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
[ "$failed" -eq 0 ]
