#!/usr/bin/env bash
# Assembles the bare-metal tests (src/*.S) into bin/*.bin, raw images for 0x40080000. Needs binutils-aarch64-linux-gnu.
# Tests in C (src/*.c, with hyp.h) are built with gcc-aarch64-linux-gnu; "// level: 3" in one makes it run at EL3.
# A line "// variants: name=value[,...]; name=value" in a source makes one image for each, with these assembler symbols.
set -euo pipefail
cd "$(dirname "$0")/src"
mkdir -p ../bin
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
assemble() { # source, image, symbols...
  local source=$1 image=$2
  shift 2
  aarch64-linux-gnu-as -o "$temporary/a.o" "${@/#/--defsym=}" "$source"
  aarch64-linux-gnu-ld -Ttext=0x40080000 -o "$temporary/a.elf" "$temporary/a.o" 2>/dev/null
  aarch64-linux-gnu-objcopy -O binary "$temporary/a.elf" "../bin/$image.bin"
}
for source in *.S; do
  name=${source%.S}
  variants=$(sed -n 's,^// variants: ,,p' "$source")
  if [ -z "$variants" ]; then
    assemble "$source" "$name"
  else
    for v in $variants; do assemble "$source" "$name-${v%%=*}" "GRANULE=${v#*=}"; done
  fi
done
compile() { # source, image, level, variant
  aarch64-linux-gnu-gcc -O1 -Wall -Wno-unused-function -Werror -march=armv8.6-a -mgeneral-regs-only -mstrict-align -ffreestanding \
    -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib -static -Wl,--build-id=none,--no-warn-rwx-segments \
    -Wl,-T,hyp.ld -DLEVEL="$3" -DGRANULE="$4" -o "$temporary/a.elf" "$1"
  aarch64-linux-gnu-objcopy -O binary "$temporary/a.elf" "../bin/$2.bin"
}
for source in *.c; do
  name=${source%.c}
  level=$(sed -n 's,^// level: ,,p' "$source")
  variants=$(sed -n 's,^// variants: ,,p' "$source")
  if [ -z "$variants" ]; then
    compile "$source" "$name" "${level:-2}" 0
  else
    for v in $variants; do compile "$source" "$name-${v%%=*}" "${level:-2}" "${v#*=}"; done
  fi
done

# Programs for domains of the hypervisor (domains/*.c), to domains/bin.
cd ../domains
mkdir -p bin
for source in *.c; do
  aarch64-linux-gnu-gcc -O1 -Wall -Wno-unused-function -Werror -march=armv8.4-a -mgeneral-regs-only -mstrict-align -ffreestanding \
    -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib -static -Wl,--build-id=none,--no-warn-rwx-segments \
    -Wl,-T,domain.ld -o "$temporary/a.elf" "$source"
  aarch64-linux-gnu-objcopy -O binary "$temporary/a.elf" "bin/${source%.c}.bin"
done
