#!/usr/bin/env bash
# Builds CPython for musl from Debian's source, since no registry has one: with what it needs to run an abi3
# wheel and pytest, and not with what needs other libraries, such as TLS and zlib.
#
#   musl-python.sh PREFIX     installs it into PREFIX/python; again: a no-op
#
# Needs root. Takes three minutes on two processors, most of it the compiler.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prefix=$(realpath -m -- "$1") version=3.13
[ ! -x "$prefix/python/bin/python$version" ] || exit 0
tree=$prefix/build
bash "$(dirname "$0")/debian-tree.sh" "$tree" forky gcc libc6-dev make musl musl-tools xz-utils
echo "deb-src $(sed -n 's/^deb //p' "$tree/root/etc/apt/sources.list")" >"$tree/root/etc/apt/sources.list.d/source.list"
rm -rf "$tree/source"
mkdir -p "$tree/source/python"
cd "$tree/source"
{
  "$tree/enter" apt-get update -qq
  "$tree/enter" apt-get source --download-only -qq "python$version"
} >"$tree/python.log" 2>&1
tar -xf ./*.orig.tar.xz --strip-components 1 -C python
# Python's configure expects the name of the C library from the compiler, where gcc says glibc's.
cat >musl-cc <<'END'
#!/bin/sh
case $* in *--print-multiarch*) exit 1 ;; esac
exec musl-gcc "$@"
END
chmod 755 musl-cc
cd python
build() {
  "$tree/enter" env CC="$tree/source/musl-cc" ./configure --quiet --prefix="$prefix/python" \
    --without-ensurepip --disable-test-modules --with-pkg-config=no &&
    "$tree/enter" make --silent -j2 && "$tree/enter" make --silent install
}
build >>"$tree/python.log" 2>&1 || { tail -n 20 "$tree/python.log" >&2; exit 1; }
