#!/bin/bash
# Makes .cache/network/initramfs.cpio.gz: the embedded guest's RAM disk with Debian's iperf3 (arm64) in it, for bench/network.ts.
# Exits 77 when the packages cannot be had.
#
#   guests/network/fetch.sh
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../.cache/network
work=$out/work
embedded=$here/../embedded/initramfs.cpio.gz
[ -f "$out/initramfs.cpio.gz" ] && [ "$out/initramfs.cpio.gz" -nt "$embedded" ] && exit 0

unavailable() {
  echo "guests/network/fetch.sh: $*" >&2
  exit 77
}
for tool in apt-get dpkg-deb cpio; do
  command -v "$tool" >/dev/null || unavailable "$tool is missing"
done
mkdir -p "$work"
. "$here/../apt.sh"
private_apt "$work/apt" arm64 || unavailable "the package lists cannot be fetched"

cd "$work"
rm -rf ./*.deb root
apt-get -qq download iperf3:arm64 libiperf0:arm64 libsctp1:arm64 libssl3:arm64 libc6:arm64 ||
  unavailable "the packages cannot be fetched"
mkdir root
for package in *.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C root --wildcards './lib/*' './usr/lib/*' './usr/bin/*' 2>/dev/null || true
done
# Only what iperf3 loads.
find root -type f ! -name 'iperf3' ! -name '*.so*' -delete
rm -rf root/usr/lib/aarch64-linux-gnu/{gconv,engines-3,ossl-modules}
"$here/../pack.sh" root tools.cpio.gz
cat "$embedded" tools.cpio.gz >"$out/initramfs.cpio.gz"
rm -rf ./*.deb root tools.cpio.gz
du -h "$out/initramfs.cpio.gz"
