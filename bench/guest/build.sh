#!/bin/bash
# Builds the benchmark's guest: .cache/bench/initramfs.cpio.gz, the embedded guest's root with abench and init in it (the kernel
# takes the last of equal names). Exits 77 when there is no cross compiler.
#
#   bench/guest/build.sh [i386]      with i386 also .cache/bench/i386/: Debian's i386 kernel, busybox, BIOS, and abench for v86
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../.cache/bench
guests=$here/../../guests
flags=(-std=c11 -D_GNU_SOURCE -Wall -Wextra -O2 -static -s)
mkdir -p "$out"

unavailable() {
  echo "bench/guest/build.sh: $*" >&2
  exit 77
}

current() {
  [ -f "$1" ] && [ -z "$(find "$here" "$guests/embedded/initramfs.cpio.gz" -newer "$1" -type f)" ]
}

if ! current "$out/initramfs.cpio.gz"; then
  command -v aarch64-linux-gnu-gcc >/dev/null || unavailable "no cross compiler: apt-get install gcc-aarch64-linux-gnu"
  rm -rf "$out/root"
  mkdir -p "$out/root/bin"
  aarch64-linux-gnu-gcc "${flags[@]}" "$here"/*.c -o "$out/root/bin/abench"
  install -m 755 "$here/init" "$out/root/init"
  "$guests/pack.sh" "$out/root" "$out/bench.cpio.gz"
  cat "$guests/embedded/initramfs.cpio.gz" "$out/bench.cpio.gz" >"$out/initramfs.cpio.gz"
  rm -rf "$out/root" "$out/bench.cpio.gz"
fi
[ "${1:-}" = i386 ] || exit 0

peer=$out/i386
current "$peer/initramfs.cpio.gz" && exit 0
if command -v i686-linux-gnu-gcc >/dev/null; then cc=i686-linux-gnu-gcc; else cc='gcc -m32'; fi
rm -rf "$peer"
mkdir -p "$peer/root/bin" "$peer/root/dev" "$peer/root/proc" "$peer/root/tmp"
$cc "${flags[@]}" "$here"/*.c -o "$peer/root/bin/abench" || unavailable "no i386 compiler: apt-get install gcc-i686-linux-gnu"
. "$guests/apt.sh"
# Lists that are incomplete may do: what is missing shows below.
private_apt "$peer/apt" i386 || true
cd "$peer"
kernel=$(apt-cache depends linux-image-686:i386 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^:]*\).*/\1/p' | head -1)
apt-get -qq download "$kernel:i386" busybox-static:i386 seabios:all || unavailable "the i386 packages cannot be fetched"
mkdir files
for package in ./*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C files --exclude './lib/*'; done
mv files/boot/vmlinuz-* vmlinuz
mv files/usr/share/seabios/bios.bin files/usr/share/seabios/vgabios-stdvga.bin .
mv "$(find files -path '*bin/busybox' -type f | head -1)" root/bin/busybox
ln -s busybox root/bin/sh
install -m 755 "$here/init" root/init
rm -rf files apt ./*.deb
"$guests/pack.sh" root initramfs.cpio.gz
rm -rf root
