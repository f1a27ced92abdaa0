#!/bin/bash
# Makes a whole Debian 12 for arm64 on a disk, from your own package sources, into .cache/debian-full:
#   disk.img        a disk with a GPT: an EFI system partition with GRUB, and an ext4 root with systemd, the generic kernel, apt
#   vmlinuz         that kernel, and
#   initrd.img      its initrd, for --kernel and --initrd
#   repository/     a package repository of a few packages that the disk does not have, to install over the network
#   installer/      linux and initrd.gz of debian-installer's netboot image
# Root's password is `atoll`. Exits 77 when a tool or the packages cannot be had.
#
# The packages' own scripts run on Atoll, with the embedded kernel: no rights are needed, neither loop devices nor binfmt_misc.
#
#   guests/debian-full/build.sh [SIZE]          SIZE of the root, 3G unless given; the file is sparse
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$(realpath -m "$root/.cache/debian-full")
work=$out/work
size=${1:-3G}
suite=bookworm
PATH=$PATH:/usr/sbin:/sbin

unavailable() {
  echo "guests/debian-full/build.sh: $*" >&2
  exit 77
}
for tool in apt-get debootstrap fakeroot mkfs.ext4 debugfs sfdisk mkfs.vfat mcopy dpkg-scanpackages dpkg-deb; do
  command -v "$tool" >/dev/null || unavailable "$tool is missing"
done
[ -f "$root/dist/cli/main.js" ] || unavailable "Atoll is not built: npm run build"
mkdir -p "$work"
. "$here/../apt.sh"
# done_by WHAT FILE...: whether all FILEs are there already.
done_by() {
  what=$1
  shift
  for file in "$@"; do [ -s "$file" ] || { echo "== $what"; return 1; }; done
}

done_by "package lists" "$work/apt/apt.conf" "$work/mirror" || {
  private_apt "$work/apt" arm64 || unavailable "the package lists cannot be fetched"
  apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" "Created-By: Packages" | sort -u | head -1 >"$work/mirror"
}
export APT_CONFIG=$work/apt/apt.conf
mirror=$(cat "$work/mirror")
[ -n "$mirror" ] || unavailable "no source of $suite among this machine's package sources"

# download PACKAGE...: into the current folder.
download() {
  apt-get -qq download "$@" || unavailable "$* cannot be fetched"
}

done_by "installer" "$out/installer/linux" "$out/installer/initrd.gz" || {
  rm -rf "$work/installer"
  mkdir -p "$work/installer" "$out/installer"
  cd "$work/installer"
  download debian-installer-12-netboot-arm64
  for file in linux initrd.gz; do
    dpkg-deb --fsys-tarfile ./*.deb | tar -x -O --wildcards "*/images/12/arm64/text/debian-installer/arm64/$file" >"$out/installer/$file"
  done
  cd "$out"
  rm -rf "$work/installer"
}

done_by "repository" "$out/repository/Packages" || {
  mkdir -p "$out/repository"
  cd "$out/repository"
  download hello:arm64 jq:arm64 libjq1:arm64 libonig5:arm64
  dpkg-scanpackages --multiversion . /dev/null >Packages.part 2>/dev/null
  mv Packages.part Packages
}

done_by "boot loader" "$work/grubaa64.efi" || {
  cd "$work"
  rm -f grub-efi-arm64-bin*.deb
  download grub-efi-arm64-bin:arm64
  dpkg-deb --fsys-tarfile grub-efi-arm64-bin*.deb | tar -x -O ./usr/lib/grub/arm64-efi/monolithic/grubaa64.efi >grubaa64.efi.part
  mv grubaa64.efi.part grubaa64.efi
  rm -f grub-efi-arm64-bin*.deb
}

# What was made of files here that have changed since is made again.
[ -z "$(find "$here/second-stage" "$here/root" -newer "$work/stage1.img" 2>/dev/null)" ] || rm -f "$work/stage1.img"
[ "$work/root.img" -nt "$work/stage1.img" ] || rm -f "$work/root.img"

# The first stage: packages fetched and unpacked here. fakeroot remembers owners and devices until the file system is made.
done_by "first stage, from your package sources" "$work/stage1.img" || {
  cd "$work"
  rm -rf tree stage1.part
  include=systemd,systemd-sysv,udev,dbus,linux-image-arm64,initramfs-tools,zstd,ifupdown,iproute2,iputils-ping,netbase,apt,e2fsprogs,kmod,procps,login,ca-certificates
  # With APT_CONFIG debootstrap would ask the private package manager about itself.
  env -u APT_CONFIG MIRROR="$mirror" INCLUDE="$include" SUITE="$suite" HERE="$here" SIZE="$size" fakeroot bash -c '
    set -euo pipefail
    debootstrap --foreign --arch=arm64 --variant=minbase --include="$INCLUDE" "$SUITE" tree "$MIRROR"
    # In a container debootstrap makes it a link to the one here.
    [ ! -L tree/proc ] || { rm tree/proc; mkdir tree/proc; }
    install -m 755 "$HERE/second-stage" tree/debootstrap/atoll
    cp -r "$HERE/root/." tree/debootstrap_root
    chown -R 0:0 tree/debootstrap_root
    truncate -s "$SIZE" stage1.part
    mkfs.ext4 -q -F -L root -d tree stage1.part' >"$work/stage1.log" 2>&1 || {
    tail -5 "$work/stage1.log" >&2
    unavailable "the first stage failed: see $work/stage1.log"
  }
  rm -rf tree
  mv stage1.part stage1.img
}

# The second stage: the packages' scripts, on Atoll.
done_by "second stage, on Atoll: some minutes" "$work/root.img" || {
  cd "$work"
  cp --sparse=always stage1.img root.part
  "$root/bin/atoll.js" run --kernel "$root/guests/embedded/Image.gz" --memory 1G --cpus 2 --net none \
    --append "console=ttyAMA0 quiet root=/dev/vda rw init=/debootstrap/atoll" --disk root.part,format=raw --no-reboot \
    </dev/null >"$work/stage2.log" 2>&1 || unavailable "the second stage ended with status $?: see $work/stage2.log"
  grep -q ATOLL-SECOND-STAGE-DONE "$work/stage2.log" || unavailable "the second stage failed: see $work/stage2.log"
  e2fsck -f -n root.part >"$work/fsck.log" 2>&1 || unavailable "the file system is damaged: see $work/fsck.log"
  mv root.part root.img
}

echo "== disk"
cd "$work"
# dump PATTERN FILE: a file of /boot.
dump() {
  name=$(debugfs -R 'ls -p /boot' root.img 2>/dev/null | cut -d/ -f6 | grep "^$1" | sort -V | tail -1)
  debugfs -R "dump /boot/$name $2.part" root.img 2>/dev/null
  [ -s "$2.part" ] || unavailable "no $1 in /boot"
  mv "$2.part" "$2"
}
dump vmlinuz- "$out/vmlinuz"
dump initrd.img- "$out/initrd.img"
# An EFI system partition from 1 MiB to 65 MiB, and the root from there on.
rm -f esp.img
truncate -s 64M esp.img
mkfs.vfat -n ESP esp.img >/dev/null
mmd -i esp.img ::/EFI ::/EFI/BOOT ::/EFI/debian
mcopy -i esp.img grubaa64.efi ::/EFI/BOOT/BOOTAA64.EFI
mcopy -i esp.img "$here/grub.cfg" ::/EFI/debian/grub.cfg
bytes=$(stat -c %s root.img)
rm -f disk.part
truncate -s $((bytes + 66 * 1024 * 1024)) disk.part
sfdisk -q disk.part <<TABLE
label: gpt
start=2048, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
start=133120, size=$((bytes / 512)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=root
TABLE
dd if=esp.img of=disk.part bs=1M seek=1 conv=notrunc,sparse status=none
dd if=root.img of=disk.part bs=1M seek=65 conv=notrunc,sparse status=none
mv disk.part "$out/disk.img"
rm -f esp.img
du -h --apparent-size "$out/disk.img"
du -h "$out/disk.img" "$out/vmlinuz" "$out/initrd.img" "$out/installer/initrd.gz"
