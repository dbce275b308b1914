# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts here: where the tree is, readable progress, and Debian's packages. Sourced, not run.

set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

packages_build="gcc libc6-dev meson ninja-build pkg-config python3 libevent-dev libssl-dev zlib1g-dev liblz4-dev libsnappy-dev libzstd-dev git ca-certificates"
packages_test="check libsubunit-dev libasan8 libubsan1 libtsan2 librdkafka-dev kcat nodejs npm python3-venv clang clang-format libclang-rt-14-dev"
packages_faults="libfuse3-dev fuse3 xfsprogs e2fsprogs"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Installs what is missing of the named packages; tools that came another way (a node of one's own) count as present.
install_packages() {
  local missing=() package
  for package in "$@"; do
    case $package in
    nodejs) command -v node >/dev/null && continue ;;
    npm) command -v npm >/dev/null && continue ;;
    git) command -v git >/dev/null && continue ;;
    python3) command -v python3 >/dev/null && continue ;;
    esac
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get to install them: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "run as root once, or install: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

# build_tree DIR MESON-OPTION...: configures once (again when the options changed) and builds, quietly unless it fails; only $targets when
# that is set.
build_tree() {
  local dir=$1 log
  shift
  log=$(mktemp)
  if [ ! -e "$dir/build.ninja" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "$*" ]; then
    rm -rf "$dir"
    meson setup "$dir" "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "meson could not configure $dir"; }
    printf '%s' "$*" >"$dir/.options"
  fi
  say "building $dir"
  # shellcheck disable=SC2086
  ninja -C "$dir" ${targets:-} >"$log" 2>&1 || { tail -n 60 "$log" >&2; rm -f "$log"; die "the build in $dir failed"; }
  rm -f "$log"
}

build_release() { build_tree build --buildtype=release -Doptimization=2 -Db_lto=true -Dtests=false; }
