#!/bin/bash
# Fetches what test/systems runs beside Linux, unmodified, from Debian's arm64 packages into .cache/systems:
#   xen                    Xen 4.17 (xen-hypervisor-4.17-arm64), an arm64 Image
#   u-boot.bin             U-Boot for the virt board (u-boot-qemu)
#   QEMU_EFI.fd            EDK2 for the virt board (qemu-efi-aarch64)
#   kvm-host.cpio          an initramfs with a VMM inside: Debian's arm64 qemu-system-aarch64 with its libraries, a kernel and an inner
#                          initramfs; `init` of this folder is its first process
# Exits 77 when the packages cannot be had.
#
#   guests/systems/fetch.sh
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
cache=$(realpath -m "$here/../../.cache")
out=$cache/systems
work=$out/work

unavailable() {
  echo "guests/systems/fetch.sh: $*" >&2
  exit 77
}
for tool in apt-get apt-cache dpkg-deb cpio; do
  command -v "$tool" >/dev/null || unavailable "$tool is missing"
done
objdump=$(command -v objdump aarch64-linux-gnu-objdump | head -1) || true
[ -n "$objdump" ] || unavailable "objdump is missing"
"$here/../debian/fetch.sh" || exit
mkdir -p "$work/debs/partial"
. "$here/../apt.sh"

# A package manager whose own architecture is arm64 and that has nothing installed yet: it fetches a package with all that it needs.
fetch() {
  : >"$work/status"
  apt-get -qq -y -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::status="$work/status" \
    -o Dir::Cache::archives="$work/debs" --no-install-recommends --download-only install "$@" >/dev/null ||
    unavailable "$* cannot be fetched"
}
# one PACKAGE PATH FILE: takes one file out of a package.
one() {
  apt-get -qq download "$1" || unavailable "$1 cannot be fetched"
  dpkg-deb --fsys-tarfile "${1%:*}"_*.deb | tar -x -O --wildcards "$2" >"$out/$3.part"
  [ -s "$out/$3.part" ] || unavailable "no $2 in $1"
  mv "$out/$3.part" "$out/$3"
}

cd "$work"
if ! [ -s "$out/xen" ] || ! [ -s "$out/u-boot.bin" ] || ! [ -s "$out/QEMU_EFI.fd" ] || ! [ -d "$work/vmm" ]; then
  private_apt "$work/apt" arm64 || unavailable "the package lists cannot be fetched"
fi
[ -s "$out/xen" ] || {
  one xen-hypervisor-4.17-arm64:arm64 './boot/xen-4.17-arm64*' xen.packed
  # The package has it compressed; boot loaders unpack it.
  if gzip -t "$out/xen.packed" 2>/dev/null; then gzip -dc "$out/xen.packed" >"$out/xen"; else cp "$out/xen.packed" "$out/xen"; fi
  rm "$out/xen.packed"
}
[ -s "$out/u-boot.bin" ] || one u-boot-qemu ./usr/lib/u-boot/qemu_arm64/u-boot.bin u-boot.bin
[ -s "$out/QEMU_EFI.fd" ] || one qemu-efi-aarch64 ./usr/share/qemu-efi-aarch64/QEMU_EFI.fd QEMU_EFI.fd
rm -f ./*.deb

# The VMM: the program, and the libraries that it and they name.
if ! [ -d vmm ]; then
  fetch qemu-system-arm
  rm -rf all vmm.part
  mkdir -p all vmm.part/usr/bin vmm.part/lib
  for package in debs/*.deb; do
    case $package in
    */lib*.deb | */qemu-system-arm_*.deb | */zlib1g_*.deb) dpkg-deb --fsys-tarfile "$package" | tar -x -C all ;;
    esac
  done
  cp all/usr/bin/qemu-system-aarch64 vmm.part/usr/bin/
  missing=1
  while [ "$missing" -gt 0 ]; do
    missing=0
    for name in $(find vmm.part -type f -exec "$objdump" -p {} + | sed -n 's/^ *NEEDED *//p' | sort -u); do
      [ -e "vmm.part/lib/$name" ] && continue
      file=$(find all -name "$name" | head -1)
      [ -n "$file" ] || unavailable "no package has $name"
      cp -L "$file" "vmm.part/lib/$name"
      missing=1
    done
  done
  rm -rf all debs
  mv vmm.part vmm
fi

# The host's root: busybox and the VMM, with its guest's kernel and initramfs.
root=$work/root
if ! [ "$out/kvm-host.cpio" -nt "$here/init" ] || ! [ "$out/kvm-host.cpio" -nt "$cache/debian/initramfs.cpio.gz" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  gzip -dc "$cache/debian/initramfs.cpio.gz" | (cd "$root" && cpio -idm --quiet --no-absolute-filenames)
  cp -r vmm/. "$root/"
  mkdir -p "$root/guest" "$root/tmp"
  cp "$cache/debian/vmlinuz" "$cache/debian/initramfs.cpio.gz" "$root/guest/"
  cp "$here/init" "$root/init"
  chmod 755 "$root/init"
  (cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc -R +0:+0 --reproducible --quiet) >"$out/kvm-host.cpio.part"
  mv "$out/kvm-host.cpio.part" "$out/kvm-host.cpio"
  rm -rf "$root"
fi
ls -l "$out/xen" "$out/u-boot.bin" "$out/QEMU_EFI.fd" "$out/kvm-host.cpio"
