#!/bin/bash
# Fetches an unmodified Debian arm64 kernel (package linux-image-cloud-arm64) and makes an initramfs of Debian's static busybox for it:
# .cache/debian/vmlinuz and .cache/debian/initramfs.cpio.gz, for test/systems; modules.cpio.gz, to be put behind the latter, has some of the kernel's
# modules and /modules/init (rdinit=), which loads them. Exits 77 when the packages cannot be had.
#
#   guests/debian/fetch.sh
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../.cache/debian
work=$out/work
[ -f "$out/vmlinuz" ] && [ -f "$out/initramfs.cpio.gz" ] && [ "$out/initramfs.cpio.gz" -nt "$here/init" ] &&
  [ -f "$out/modules.cpio.gz" ] && [ "$out/modules.cpio.gz" -nt "$here/load-modules" ] && exit 0

unavailable() {
  echo "guests/debian/fetch.sh: $*" >&2
  exit 77
}
for tool in apt-get apt-cache dpkg-deb cpio; do
  command -v "$tool" >/dev/null || unavailable "$tool is missing"
done
mkdir -p "$work"
. "$here/../apt.sh"
private_apt "$work/apt" arm64 || unavailable "the package lists cannot be fetched"

cd "$work"
kernel=$(apt-cache depends linux-image-cloud-arm64:arm64 | sed -n 's/^ *Depends: \(linux-image-[^:]*\).*/\1/p' | head -1)
[ -n "$kernel" ] || unavailable "no package linux-image-cloud-arm64"
apt-get -qq download "$kernel:arm64" busybox-static:arm64 || unavailable "the packages cannot be fetched"
rm -rf kernel root extra
mkdir -p kernel root extra/modules
dpkg-deb --fsys-tarfile linux-image-*_arm64.deb |
  tar -x -C kernel --wildcards './boot/vmlinuz-*' './lib/modules/*/drivers/net/dummy.ko' './lib/modules/*/drivers/block/loop.ko'
find kernel -name '*.ko' -exec mv {} extra/modules \;
cp "$here/load-modules" extra/modules/init
chmod 755 extra/modules/init
"$here/../pack.sh" extra "$out/modules.cpio.gz"
dpkg-deb --fsys-tarfile busybox-static_*_arm64.deb | tar -x -C root --strip-components=1 --wildcards './bin/busybox' './usr/bin/busybox' 2>/dev/null || true
busybox=$(find root -name busybox -type f | head -1)
[ -n "$busybox" ] || unavailable "no busybox in its package"
mkdir -p root/bin root/dev root/proc root/sys
[ "$busybox" = root/bin/busybox ] || mv "$busybox" root/bin/busybox
ln -sf busybox root/bin/sh
cp "$here/init" root/init
chmod 755 root/init
"$here/../pack.sh" root "$out/initramfs.cpio.gz"
mv kernel/boot/vmlinuz-* "$out/vmlinuz"
rm -rf ./*.deb kernel root extra
echo "$kernel: $(du -h "$out/vmlinuz" | cut -f1)"
