#!/usr/bin/env bash
# Runs a command inside the tree beside this script, in a mount namespace of its own: in this directory, with
# this machine's own folders at their paths, the system's aside.
#
#   PREFIX/enter COMMAND…
root=$(dirname "$(readlink -f -- "$0")")/root here=$PWD
# shellcheck disable=SC2016  # The inner shells expand it.
exec unshare -m bash -c 'set -e; root=$1; here=$2; shift 2; mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"
for d in /*; do case $d in /bin|/boot|/dev|/etc|/lib*|/proc|/run|/sbin|/sys|/usr|/var) ;; *) [ ! -d "$d" ] || { mkdir -p "$root$d"; mount --rbind "$d" "$root$d"; } ;; esac; done
exec chroot "$root" env PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin sh -c "cd \"\$0\" 2>/dev/null || cd /; exec \"\$@\"" "$here" "$@"' _ "$root" "$here" "$@"
