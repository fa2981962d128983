#!/usr/bin/env bash
# Builds the Dockerfile without a registry and without an engine, and starts the result: Debian's buildah, and stand-ins for
# the two base images, made of Debian's packages under the names that the Dockerfile asks for.
#
# Usage: scripts/image.sh [--binary FILE]     last line: "N passed, N failed[, N skipped]"; exit 1 when one failed
#        --binary FILE takes this gateway instead of compiling one: the Dockerfile runs line by line all the same, with a
#        `cargo` that only puts FILE where the compiler would. Without it the host's toolchain compiles a release (minutes).
#
# Not shown here, as nothing can fetch them: the real base images (their size, their CA bundle, their passwd).
# Root is needed for mounts; where it or a tool is missing, everything is skipped, in a loud line.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# The compressed layers, base included. A node that pulls 30 MiB starts in seconds.
size_max=$((30 * 1024 * 1024))
binary=
case ${1:-} in
  "") ;;
  --binary) binary=$(realpath "${2:?--binary needs a file}") ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

skip() {
  echo "SKIPPED the image: $1" >&2
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

[ "$(id -u)" -eq 0 ] || skip "building and starting it without an engine needs root"
unshare --mount true 2>/dev/null || skip "this machine lets nobody mount (no CAP_SYS_ADMIN)"
for program in buildah mmdebstrap; do
  command -v "$program" >/dev/null 2>&1 && continue
  command -v apt-get >/dev/null 2>&1 || skip "no $program, and no apt-get to get it with"
  apt() { DEBIAN_FRONTEND=noninteractive apt-get "$@" >/dev/null 2>&1 </dev/null; }
  apt install --yes --no-install-recommends buildah mmdebstrap ||
    { apt update && apt install --yes --no-install-recommends buildah mmdebstrap; } ||
    skip "buildah and mmdebstrap (Debian) could not be installed"
done

work=$(mktemp -d)
# _apt downloads as its own user.
chmod 0755 "$work"
gateway=
finish() {
  # Nothing to drain here, and a busy root cannot be unmounted.
  if [ -n "$gateway" ]; then kill -KILL "$gateway" 2>/dev/null || true; wait "$gateway" 2>/dev/null || true; fi
  if mountpoint --quiet "$work/run"; then umount "$work/run"; fi
  rm -rf "$work"
}
trap finish EXIT

# Everything of buildah's lies under $work and goes with it. vfs: plain folders, which work inside containers too.
buildah() { command buildah --root "$work/store" --runroot "$work/runroot" --storage-driver vfs "$@"; }

# A stand-in: the folder $1 becomes the image $2.
commit() {
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$1" / >/dev/null
  shift
  local name=$1
  shift
  [ "$#" -eq 0 ] || buildah config "$@" "$container"
  buildah commit --quiet --format docker "$container" "$name" >/dev/null
  buildah rm "$container" >/dev/null
}

packages() { # folder, packages: what is in them, and no script of theirs run
  local folder=$1
  shift
  mkdir -p "$work/debs" "$folder"
  rm -f "$work"/debs/*.deb
  (
    cd "$work/debs"
    # The lists of a fresh machine are empty or old: refresh them only when the first try fails.
    apt-get download "$@" >/dev/null 2>&1 ||
      { apt-get update --quiet >/dev/null 2>&1 && apt-get download "$@" >/dev/null; }
  )
  for package in "$work"/debs/*.deb; do dpkg-deb --extract "$package" "$folder"; done
}

argument() { sed -n "s/^ARG $1=//p" "$root/Dockerfile" | head -n 1; }

# As distroless has it: libc, libgcc, a CA bundle, one user, no shell.
bare=$work/bare
packages "$bare" libc6 libgcc-s1
rm -rf "${bare:?}/usr/share"
mkdir -p "$bare/etc/ssl/certs" "$bare/tmp" "$bare/proc" "$bare/dev"
cp /etc/ssl/certs/ca-certificates.crt "$bare/etc/ssl/certs/"
echo "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin" >"$bare/etc/passwd"
commit "$bare" "$(argument RUN_IMAGE)" --user 65532

volumes=()
if [ -n "$binary" ]; then
  # A shell and `cp` for the Dockerfile's RUN, and the cargo that compiles nothing.
  packages "$work/builder" busybox-static
  mkdir -p "$work/builder/usr/local/bin" "$work/builder/tmp" "$work/builder/proc" "$work/builder/dev" "$work/builder/etc"
  ln -s busybox "$work/builder/bin/sh"
  ln -s busybox "$work/builder/bin/cp"
  printf '#!/bin/sh\n/bin/busybox mkdir -p target/release && cp /given target/release/watchparty\n' >"$work/builder/usr/local/bin/cargo"
  chmod 0755 "$work/builder/usr/local/bin/cargo"
  volumes=(--volume "$binary:/given:ro")
  commit "$work/builder" "$(argument BUILD_IMAGE)" --env PATH=/usr/local/bin:/bin
else
  mmdebstrap --quiet --variant=essential --include=gcc,libc6-dev bookworm "$work/builder.tar"
  commit "$work/builder.tar" "$(argument BUILD_IMAGE)" --env CARGO_HOME=/usr/local/cargo \
    --env PATH=/toolchain/bin:/usr/bin:/bin --env CARGO_NET_RETRY=5 \
    --env CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
  rm "$work/builder.tar"
  # The host's compiler, and what its cargo has fetched before, so that no more is asked of a registry than must be.
  volumes=(--volume "$(cd "$root" && rustc --print sysroot):/toolchain:ro"
    --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro)
fi

revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
echo "image: building $([ -n "$binary" ] && echo "around a gateway that was compiled before" || echo "everything")"
if ! buildah bud --isolation chroot --network host --pull-never --format docker --layers=false \
  --build-arg "REVISION=$revision" --build-arg "VERSION=$version" "${volumes[@]}" \
  --tag watchparty:dev "$root" >"$work/log" 2>&1; then
  tail -n 30 "$work/log" >&2
  echo "0 passed, 1 failed"
  exit 1
fi

passed=0
failed=0
holds() { # what it is, then the command that is true when it holds
  local what=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1))
    echo "ok $what"
  else
    failed=$((failed + 1))
    echo "FAILED $what"
    sed 's/^/  /' "$work/said"
  fi
}

said() { # the image's own record, by a template of buildah's
  buildah inspect --type image --format "{{$1}}" watchparty:dev
}

same() { [ "$1" = "$2" ] || { echo "is $1, should be $2" && false; }; }
lacks() { [ ! -e "$1" ] || { echo "$1 is there" && false; }; }

holds "user" same "$(said .Docker.Config.User)" 65532:65532
holds "entry point" same "$(said .Docker.Config.Entrypoint)" "[/usr/local/bin/watchparty]"
holds "verb" same "$(said .Docker.Config.Cmd)" "[serve]"
holds "stop signal" same "$(said .Docker.Config.StopSignal)" SIGTERM
holds "health check" same "$(said .Docker.Config.Healthcheck.Test)" "[CMD /usr/local/bin/watchparty healthcheck]"
holds "label of the release" same "$(said 'index .Docker.Config.Labels "org.opencontainers.image.version"')" "$version"
holds "label of the commit" same "$(said 'index .Docker.Config.Labels "org.opencontainers.image.revision"')" "$revision"

buildah push --quiet watchparty:dev "dir:$work/pushed" >/dev/null 2>&1
size_of() { python3 -c 'import json, sys; print(sum(each["size"] for each in json.load(open(sys.argv[1]))["layers"][int(sys.argv[2]):]))' "$@"; }
size=$(size_of "$work/pushed/manifest.json" 0)
ours=$(size_of "$work/pushed/manifest.json" -1)
echo "image: $((size / 1024)) KiB compressed, of which $((ours / 1024)) KiB are our layer; the base is a stand-in"
[ -z "$binary" ] || echo "image: with a debug build the size says nothing" >&2
[ -n "$binary" ] || holds "at most 30 MiB compressed" test "$size" -le "$size_max"

# Started as an engine would: the image's user and entry point, the root mounted read-only, no shell in between.
container=$(buildah from --pull-never watchparty:dev)
mounted=$(buildah mount "$container")
mkdir "$work/run"
mount --bind "$mounted" "$work/run"
mount -o remount,bind,ro "$work/run"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
settings=(HOST=127.0.0.1 "PORT=$port" ENVIRONMENT=production "JWT_SECRET=$(head -c 48 /dev/urandom | base64 -w 0)")
entry=$(said 'index .Docker.Config.Entrypoint 0')
# As the image's user, in the image, with these settings and nothing else.
inside=(env -i PATH="$PATH" "${settings[@]}"
  setpriv --no-new-privs chroot --userspec="$(said .Docker.Config.User)" --groups= "$work/run")

root_is_read_only() { ! touch "$work/run/tmp/x" 2>"$work/touched" && grep "Read-only file system" "$work/touched"; }
tells_its_build() { "${inside[@]}" "$entry" --version | grep -F "$version"; }
tells_its_commit() { "${inside[@]}" "$entry" --version | grep -F "$revision"; }
comes_up() {
  for _ in $(seq 1 200); do
    kill -0 "$gateway" 2>/dev/null || { cat "$work/lines" && return 1; }
    "${inside[@]}" "$entry" healthcheck --ready >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  cat "$work/lines" && return 1
}
is_its_user() { grep -P '^[UG]id:\t65532\t65532\t65532\t65532$' "/proc/$gateway/status" | grep -c . | grep -x 2; }
has_no_rights() { grep -P '^Cap(Eff|Prm):\t0+$' "/proc/$gateway/status" | grep -c . | grep -x 2; }
ends_well() { kill -TERM "$gateway" && wait "$gateway"; }
is_missed() {
  local status=0
  "${inside[@]}" "$entry" healthcheck || status=$?
  [ "$status" -eq 1 ]
}

holds "no shell" lacks "$work/run/bin/sh"
holds "the root cannot be written" root_is_read_only
holds "it says its version" tells_its_build
[ -n "$binary" ] || holds "it says its commit" tells_its_commit
"${inside[@]}" "$entry" serve >"$work/lines" 2>&1 &
gateway=$!
holds "it serves from a read-only root, as its user" comes_up
holds "its health check finds it well" "${inside[@]}" "$entry" healthcheck
holds "it runs as 65532" is_its_user
holds "it has no capability" has_no_rights
holds "SIGTERM drains it and it exits 0" ends_well
gateway=
holds "its health check finds that it is gone, and exits 1" is_missed

echo "image: not run here: the real base images, which only a registry has ($(argument BUILD_IMAGE), $(argument RUN_IMAGE))" >&2
[ -z "$binary" ] || echo "image: not run here: the compilation (scripts/image.sh without --binary does it)" >&2
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
