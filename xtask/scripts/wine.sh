#!/usr/bin/env bash
# Adds wine to a tree of debian-tree.sh: forky has none, so it comes from sid. Again: a no-op.
#
#   PREFIX/enter xtask/scripts/wine.sh
set -euo pipefail
command -v wine >/dev/null && exit 0
mirror=$(grep -rhoE 'https?://[^ ]+' /etc/apt/sources.list /etc/apt/sources.list.d | head -n 1)
echo "deb [trusted=yes] $mirror sid main" >/etc/apt/sources.list.d/sid.list
printf 'Package: *\nPin: release n=sid\nPin-Priority: 100\n' >/etc/apt/preferences.d/sid
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64 >/dev/null
