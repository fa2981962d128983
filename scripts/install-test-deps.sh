#!/usr/bin/env bash
# Installs what `make test` needs beside the Rust toolchain and this machine lacks: redis-server, openssl, Python with venv,
# Node.js with npm, Chromium. Asks nobody, changes nothing that is there, says what it cannot do.
#
# Debian and its kin only: elsewhere it names what is missing and exits 1.
set -euo pipefail

missing=()
wanted_by=()

want() { # package, what it is for
  missing+=("$1")
  wanted_by+=("$2")
}

has() { command -v "$1" >/dev/null 2>&1; }

has redis-server || want redis-server "the Redis backend's tests"
has openssl || want openssl "the test of a Redis behind TLS, whose certificates it makes"
has python3 || want python3 "a WebSocket client that is not ours"
# Debian splits ensurepip off; a Python from elsewhere brings it.
if ! has python3 || ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
  want python3-venv "a WebSocket client that is not ours"
fi
has node || want nodejs "the SDK, and a WebSocket client that is not ours"
has npm || want npm "the SDK, and a WebSocket client that is not ours"
if ! has chromium; then
  want chromium "the page, as people use it"
  # Chromium alone has no picture for most reactions.
  want fonts-noto-color-emoji "the page, as people see it"
fi

if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi

echo "test dependencies: installing ${missing[*]}"

cannot() {
  echo "test dependencies: $1; please install by hand:" >&2
  for index in "${!missing[@]}"; do
    echo "  ${missing[$index]} (for ${wanted_by[$index]})" >&2
  done
  exit 1
}

has apt-get || cannot "no apt-get here"
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  has sudo || cannot "not root, and no sudo here"
  # -n: a question for a password would hang a run without a terminal.
  sudo=(sudo -n)
  "${sudo[@]}" true 2>/dev/null || cannot "not root, and sudo wants a password"
fi

# A test starts its own redis-server; the package would also start a service on port 6379. Debian asks policy-rc.d
# before it starts one, so for the time of the installation that answers no (101), unless the machine has its own.
policy=/usr/sbin/policy-rc.d
ours=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod 0755 "$policy"
  ours=yes
fi
restore() { [ -z "$ours" ] || "${sudo[@]}" rm -f "$policy"; }
trap restore EXIT

log=$(mktemp)
install() {
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null
}
# The lists of a fresh machine are empty or old: refresh them only when the first try fails.
if ! install && ! { "${sudo[@]}" apt-get update --quiet >>"$log" 2>&1 && install; }; then
  tail -n 20 "$log" >&2
  rm -f "$log"
  cannot "apt-get failed"
fi
rm -f "$log"

# Only when it was we who brought it: not running now (a machine's own policy may have started it), and not after the
# next boot; without systemd there is nothing that would start it.
for package in "${missing[@]}"; do
  if [ "$package" = redis-server ] && [ -d /run/systemd/system ]; then
    "${sudo[@]}" systemctl disable --now --quiet redis-server ||
      echo "test dependencies: the redis-server service could not be disabled" >&2
  fi
done

for program in redis-server openssl python3 node npm chromium; do
  has "$program" || cannot "$program is still missing"
done
