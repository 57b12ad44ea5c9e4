#!/usr/bin/env bash
# Packages of Debian with their dependencies, unpacked into a tree of its own and not configured, which needs
# none of their programs to run: for another processor, which qemu emulates, or another C library.
#
#   unpacked-tree.sh PREFIX ARCHITECTURE PACKAGE…   unpacks them under PREFIX/root; again: a no-op
#   PREFIX/enter COMMAND…                           runs a command inside: see enter.sh
#
# Needs root, and takes half a minute. Installs mmdebstrap and qemu on this machine, if they are missing.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(dirname "$0") prefix=$(realpath -m -- "$1") architecture=$2
shift 2
root=$prefix/root want="$architecture $*"

add_packages() { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# The kernel starts qemu for programs of the other processor. It forgets that when the machine restarts.
emulate() {
  local known=/proc/sys/fs/binfmt_misc magic mask
  command -v qemu-aarch64-static >/dev/null || add_packages qemu-user-static
  [ -e $known/register ] || mount -t binfmt_misc binfmt_misc $known
  [ -z "$(grep -ls '^interpreter .*aarch64' $known/* || true)" ] || return 0
  # The head of an ELF file for aarch64. F: qemu is opened now, so that it need not be in the tree.
  magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":pipevideo-aarch64:M::$magic:$mask:$(command -v qemu-aarch64-static):F" >$known/register
}

if [ "$architecture" = arm64 ] && [ "$(dpkg --print-architecture)" != arm64 ]; then emulate; fi
[ "$(cat "$prefix/ready" 2>/dev/null || true)" != "$want" ] || exit 0

mirror=$(apt-get update --print-uris 2>/dev/null | sed -n "s/^'\(http[^']*\)\/dists\/.*/\1/p" | grep -v security | head -n 1)
[ -n "$mirror" ] || { echo "$0: this machine's apt has no sources" >&2; exit 1; }
command -v mmdebstrap >/dev/null || add_packages mmdebstrap
rm -rf "$root"
mkdir -p "$prefix"
packages=$(IFS=,; echo "$*")
mmdebstrap --quiet --variant=extract --architectures="$architecture" --include="$packages" \
  --aptopt="$(apt-config dump Acquire::Check-Valid-Until)" forky "$root" "$mirror"
# What the packages' own scripts would have done.
mkdir -p "$root"/{dev,etc/ssl/certs,proc,tmp,usr/bin,usr/lib}
for folder in bin lib; do [ -e "$root/$folder" ] || ln -s "usr/$folder" "$root/$folder"; done
if [ -x "$root/usr/bin/busybox" ]; then chroot "$root" /usr/bin/busybox --install -s /usr/bin; fi
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp "$here/enter.sh" "$prefix/enter"
printf '%s' "$want" >"$prefix/ready"
