#!/usr/bin/env bash
# Builds the Python wheel for one target.
#
#   wheel.sh TARGET OUT
#
# TARGET: a Rust target such as aarch64-unknown-linux-musl, or universal2-apple-darwin. OUT: the folder of
# the wheel. Needs Rust with the target, and Python with .github/tools/requirements.txt.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
target=$1 out=$2

# zig links against an old C library, so that the wheel runs on nearly every distribution.
case $target in
  *-linux-gnu) platform=(--zig --compatibility manylinux_2_17) ;;
  *-linux-musl) platform=(--zig --compatibility musllinux_1_2) ;;
  *) platform=() ;;
esac
# Those of the crates that the library contains.
licences=bindings-python/LICENSE-THIRD-PARTY
trap 'rm -f "$licences"' EXIT
cargo xtask release --licences "$licences"
# An empty array is an unset variable in the bash of macOS.
python3 -m maturin build --release --locked --manifest-path bindings-python/Cargo.toml \
  --target "$target" --out "$out" ${platform[@]+"${platform[@]}"}
