# Sourced by what installs tools of checks: Python and npm packages at pinned versions, under the target directory and nowhere else.
# What is there already is kept, as installing asks a registry. The caller has set `wanted` (the folder of the pins) and `place`.
# shellcheck shell=bash
# shellcheck disable=SC2154

get_python_packages() {
  if cmp -s "$wanted/requirements.txt" "$place/python/installed.txt"; then return; fi
  rm -rf "$place/python"
  python3 -m venv "$place/python" &&
    "$place/python/bin/pip" install --quiet --disable-pip-version-check -r "$wanted/requirements.txt" &&
    cp "$wanted/requirements.txt" "$place/python/installed.txt"
}

get_node_packages() {
  mkdir -p "$place/node"
  if cmp -s "$wanted/package-lock.json" "$place/node/installed.json"; then return; fi
  cp "$wanted/package.json" "$wanted/package-lock.json" "$place/node/" &&
    (cd "$place/node" && npm ci --silent --no-audit --no-fund --ignore-scripts) &&
    cp "$wanted/package-lock.json" "$place/node/installed.json"
}

# Whose tools, then the parts, each of which has a `get_…`. One that cannot be had is named, loudly, and does not end the others.
get_all() {
  local whose=$1 part
  for part in "${@:2}"; do
    if ! "get_$part"; then
      echo "$whose tools: MISSING ${part//_/ }: the checks that need it will be skipped" >&2
    fi
  done
}
