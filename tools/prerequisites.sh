# Sourced by ./demo and ./test: finds what they need, and installs from Debian's packages what can be had there.
# shellcheck shell=bash

# need_rust: a cargo that is new enough for this workspace.
need_rust() {
  local wanted found
  [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] && PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  if ! command -v cargo >/dev/null; then
    echo "Rust $wanted or newer is needed, and there is no cargo here. Install it with rustup: https://rustup.rs" >&2
    exit 1
  fi
  found=$(cargo --version | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
    echo "Rust $wanted or newer is needed, and this is $found. Update it: rustup update stable" >&2
    echo "(Debian's own package rustc is too old: remove it and use rustup, https://rustup.rs)" >&2
    exit 1
  fi
}

# need_cc: the C compiler and headers that build the bundled SQLite.
need_cc() {
  command -v cc >/dev/null || install_package build-essential "a C compiler, for the bundled SQLite"
}

# need_postgresql: the server programs; the tests run them on a private socket and in a private directory.
need_postgresql() {
  local place
  for place in /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null || true)"; do
    [ -x "$place/initdb" ] && return
  done
  command -v initdb >/dev/null || install_package postgresql "PostgreSQL's server programs, for the tests"
}

# install_package NAME WHY
install_package() {
  local as_root=()
  echo "Installing the Debian package $1: $2." >&2
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if ! command -v apt-get >/dev/null || ! { [ ${#as_root[@]} = 0 ] || command -v sudo >/dev/null; }; then
    echo "This cannot be done from here (no apt-get, or no sudo). Install what corresponds to it, then try again." >&2
    exit 1
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2
}
