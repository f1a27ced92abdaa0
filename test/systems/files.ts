// The third-party files of test/systems: where guests/*/fetch.sh put them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/atoll.ts";

const cached = (folder: string, name: string): string => join(ROOT, ".cache", folder, name);

export const FILES = {
  /** Debian's cloud kernel, and an initramfs that says ATOLL-INIT-REACHED and has a shell. */
  kernel: cached("debian", "vmlinuz"),
  initrd: cached("debian", "initramfs.cpio.gz"),
  xen: cached("systems", "xen"),
  uBoot: cached("systems", "u-boot.bin"),
  edk2: cached("systems", "QEMU_EFI.fd"),
  /** An initramfs that says ATOLL-HOST-REACHED and starts a guest of its own with KVM. */
  kvmHost: cached("systems", "kvm-host.cpio"),
} as const;

/** For a test's `skip`: false, or why it is skipped. */
export function missing(...names: readonly (keyof typeof FILES)[]): false | string {
  const absent = names.filter((name) => !existsSync(FILES[name]));
  return absent.length === 0 ? false : `run guests/systems/fetch.sh: no ${absent.join(", ")}`;
}
