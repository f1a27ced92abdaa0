#!/bin/sh
# pack.sh FOLDER ARCHIVE: packs a folder as a compressed initramfs. The same contents give the same bytes: names are sorted,
# owners are root, times are SOURCE_DATE_EPOCH (default 0).
set -eu
folder=$1
archive=$(realpath -m "$2")
cd "$folder"
find . -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
find . -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc -R +0:+0 --reproducible --quiet | gzip -9n >"$archive"
