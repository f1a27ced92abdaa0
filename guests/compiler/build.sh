#!/bin/bash
# Makes .cache/compiler/disk.img: an ext4 file system with Debian's gcc (arm64), for a guest to mount and change root to; bench/compile.ts
# compiles with it for as long as one likes. Exits 77 when the packages cannot be had.
#
#   guests/compiler/build.sh
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$here/../../.cache/compiler")
work=$out/work
[ -f "$out/disk.img" ] && exit 0
PATH=$PATH:/usr/sbin:/sbin

unavailable() {
  echo "guests/compiler/build.sh: $*" >&2
  exit 77
}
for tool in apt-get dpkg-deb mkfs.ext4; do
  command -v "$tool" >/dev/null || unavailable "$tool is missing"
done
mkdir -p "$work/archives/partial"
. "$here/../apt.sh"
private_apt "$work/apt" arm64 || unavailable "the package lists cannot be fetched"
# As for a computer that has nothing yet: the whole of what the compiler needs.
: >"$work/status"
apt-get -qq -y --download-only --no-install-recommends -o APT::Architecture=arm64 -o "Dir::State::status=$work/status" \
  -o "Dir::Cache::archives=$work/archives" install gcc libc6-dev bash coreutils >/dev/null || unavailable "the packages cannot be fetched"
rm -rf "$work/tree"
mkdir "$work/tree"
for package in "$work"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/tree" --no-same-owner
done
rm -rf "$work"/tree/usr/share/{doc,locale,man} "$work"/tree/usr/lib/aarch64-linux-gnu/gconv
mkfs.ext4 -q -F -d "$work/tree" "$out/disk.part" 600M
mv "$out/disk.part" "$out/disk.img"
rm -rf "$work"
du -h "$out/disk.img"
