#!/bin/bash
# Builds the embedded guest: Image.gz (Linux), initramfs.cpio.gz (busybox and root/) and LICENSES/SOURCES.md, from Debian's
# source packages named below. See docs/guests.md.
#
#   guests/embedded/build.sh [kernel] [root]      what to build; both when nothing is named
#
# Environment: GUEST_BUILD  the work directory, 4 GB (default /tmp/atoll-guest)
#              JOBS         parallel compilations (default: all processors)
#
# On a Debian 12 machine it needs: bc bison build-essential cpio dpkg-dev flex gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# libssl-dev xz-utils. The same packages give the same bytes: times come from the source packages' changelogs.
set -euo pipefail
umask 022

LINUX=linux-source-6.1  # the newest of Debian 12's long-term kernel
BUSYBOX=busybox

here=$(cd "$(dirname "$0")" && pwd)
work=${GUEST_BUILD:-/tmp/atoll-guest}
jobs=${JOBS:-$(nproc)}
parts=${*:-kernel root}
cross=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
mkdir -p "$work"
. "$here/../apt.sh"

fail() {
  echo "build.sh: $*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null || fail "$1 is missing: apt-get install $2"
}
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
need bc bc
need bison bison
need cpio cpio
need dpkg-source dpkg-dev
need flex flex
need make build-essential
need xz xz-utils

# as_configured FRAGMENT CONFIG: every line of the fragment must have survived, or a dependency is missing in it.
as_configured() {
  if ! grep -E '^(# )?CONFIG_' "$1" | grep -vxFf "$2" >"$work/lost"; then return; fi
  fail "these lines of $1 did not take effect: $(tr '\n' ' ' <"$work/lost")"
}

# fetch_kernel: the source tree in $work/$LINUX, $work/linux.version and $work/linux.date from the package.
fetch_kernel() {
  [ -f "$work/linux.date" ] && return
  (cd "$work" && apt-get -q download "$LINUX")
  dpkg-deb --fsys-tarfile "$work/$LINUX"_*.deb | tar -x -C "$work" ./usr
  tar -x -f "$work/usr/src/$LINUX.tar.xz" -C "$work"
  dpkg-deb -f "$work/$LINUX"_*.deb Version >"$work/linux.version"
  changelog=$work/usr/share/doc/$LINUX/changelog.Debian.gz
  zcat "$changelog" >"$work/linux.changelog"
  dpkg-parsechangelog -l "$work/linux.changelog" -S Timestamp >"$work/linux.date"
}

# fetch_busybox: the patched source tree in $work/busybox-source, and the same facts.
fetch_busybox() {
  [ -f "$work/busybox.date" ] && return
  rm -rf "$work"/busybox-source
  (cd "$work" && apt-get -q source --download-only "$BUSYBOX" && dpkg-source -x "$BUSYBOX"_*.dsc busybox-source)
  dpkg-parsechangelog -l "$work/busybox-source/debian/changelog" -S Version >"$work/busybox.version"
  dpkg-parsechangelog -l "$work/busybox-source/debian/changelog" -S Timestamp >"$work/busybox.date"
}

build_kernel() {
  export KBUILD_BUILD_USER=atoll KBUILD_BUILD_HOST=atoll KBUILD_BUILD_VERSION=1
  KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date -u -d "@$(cat "$work/linux.date")")
  export KBUILD_BUILD_TIMESTAMP
  mkdir -p "$work/linux"
  make -s -C "$work/$LINUX" "${cross[@]}" O="$work/linux" KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig
  as_configured "$here/kernel.config" "$work/linux/.config"
  nice make -s -C "$work/$LINUX" "${cross[@]}" O="$work/linux" -j"$jobs" Image
  gzip -9nc "$work/linux/arch/arm64/boot/Image" >"$here/Image.gz"
}

build_root() {
  SOURCE_DATE_EPOCH=$(cat "$work/busybox.date")
  export SOURCE_DATE_EPOCH KCONFIG_NOTIMESTAMP=1
  mkdir -p "$work/busybox"
  config=$work/busybox/.config
  make -s -C "$work/busybox-source" "${cross[@]}" O="$work/busybox" defconfig >/dev/null
  grep -oE 'CONFIG_[A-Z0-9_]+' "$here/busybox.config" | while read -r symbol; do
    sed -i -E "/^(# )?$symbol[= ]/d" "$config"
  done
  cat "$here/busybox.config" >>"$config"
  yes '' | make -s -C "$work/busybox-source" "${cross[@]}" O="$work/busybox" oldconfig >/dev/null || true
  as_configured "$here/busybox.config" "$config"
  nice make -s -C "$work/busybox-source" "${cross[@]}" O="$work/busybox" -j"$jobs" >"$work/busybox.log" 2>&1 ||
    fail "busybox does not compile, see $work/busybox.log"

  root=$work/root
  rm -rf "$root"
  mkdir -p "$root"/{bin,dev,mnt,proc,root,run,sys,tmp,usr/bin,usr/sbin,var/log}
  chmod 700 "$root/root"
  chmod 1777 "$root/tmp"
  make -s -C "$work/busybox-source" "${cross[@]}" O="$work/busybox" CONFIG_PREFIX="$root" install >/dev/null
  rm -f "$root"/sbin/{poweroff,reboot,halt}
  aarch64-linux-gnu-gcc -static -nostdlib -s -Wl,--build-id=none -o "$root/sbin/reseed" "$here/reseed.S"
  cp -R "$here/root/." "$root/"
  ln -s /run "$root/var/run"
  ln -s /proc/mounts "$root/etc/mtab"
  for name in poweroff reboot halt; do ln -s shutdown "$root/sbin/$name"; done
  "$here/../pack.sh" "$root" "$here/initramfs.cpio.gz"
}

write_licences() {
  cp "$work/$LINUX/LICENSES/preferred/GPL-2.0" "$here/LICENSES/GPL-2.0"
  cp "$work/$LINUX/LICENSES/exceptions/Linux-syscall-note" "$here/LICENSES/Linux-syscall-note"
  cp "$work/$LINUX/LICENSES/preferred/LGPL-2.1" "$here/LICENSES/LGPL-2.1"
  libc=$(dpkg-query -W -f '${Built-Using}' libc6-dev-arm64-cross | grep -o 'glibc (= [^)]*)' | tr -d '(=)')
  cat >"$here/LICENSES/SOURCES.md" <<END
# What the embedded guest is made of

These two files are other people's work in binary form, under their own licences, and no part of Atoll's:

| file | work | Debian source package | licence |
|---|---|---|---|
| \`Image.gz\` | Linux | \`linux\` $(cat "$work/linux.version") (as binary package \`$LINUX\`) | GPL-2.0 with Linux-syscall-note |
| \`initramfs.cpio.gz\` | busybox | \`$BUSYBOX\` $(cat "$work/busybox.version") | GPL-2.0 |
| | GNU C library, linked into busybox | \`glibc\` ${libc#glibc  } (as \`libc6-dev-arm64-cross\`) | LGPL-2.1 or later |

The complete sources are Debian's, unmodified: \`apt-get source linux=$(cat "$work/linux.version")\`,
\`apt-get source $BUSYBOX=$(cat "$work/busybox.version")\`, \`apt-get source glibc\` (Debian 12, and Debian's archive of
snapshots for as long as it exists). What was done to them is all in this folder: \`kernel.config\`, \`busybox.config\`, \`root/\`
(the files besides busybox, part of Atoll) and \`build.sh\`, which makes both files again:

    guests/embedded/build.sh

Compiler: $(aarch64-linux-gnu-gcc --version | head -1).
END
}

private_apt "$work/apt" || fail "the package lists cannot be fetched"
fetch_kernel
fetch_busybox
for part in $parts; do
  case $part in
    kernel | root) "build_$part" ;;
    *) fail "unknown part $part: kernel or root" ;;
  esac
done
[ -f "$work/linux/arch/arm64/boot/Image" ] && write_licences
wc -c "$here/Image.gz" "$here/initramfs.cpio.gz"
