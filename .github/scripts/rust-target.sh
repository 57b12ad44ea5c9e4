#!/usr/bin/env bash
# Installs the standard library for a Rust target. Needs rustup.
#
#   rust-target.sh TARGET
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
case $1 in
  # maturin's word for both in one file.
  universal2-apple-darwin) rustup target add aarch64-apple-darwin x86_64-apple-darwin ;;
  *) rustup target add "$1" ;;
esac
