#!/usr/bin/env bash
# Packs the source distribution of the Python package.
#
#   sdist.sh OUT
#
# OUT: its folder. Needs Rust, and Python with .github/tools/requirements.txt.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
python3 -m maturin sdist --manifest-path bindings-python/Cargo.toml --out "$1"
