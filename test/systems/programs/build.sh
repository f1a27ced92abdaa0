#!/bin/sh
# Compiles the programs that test/systems runs in guests, into bin/, which is kept in the repository: the tests need no compiler.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
  aarch64-linux-gnu-gcc -Os -static -nostdlib -ffreestanding -fno-builtin -Wl,--build-id=none -s -o "bin/${source%.c}" "$source"
done
