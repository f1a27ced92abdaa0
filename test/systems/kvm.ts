// How a KVM host with a guest inside is started, on Atoll and on qemu-system-aarch64.

import { Atoll, GuestProcess } from "../support/atoll.ts";
import { FILES } from "./files.ts";

export interface KvmSetup {
  readonly cpu: "cortex-a72" | "max";
  readonly gic: 2 | 3;
  readonly cpus: number;
}

/** What KVM says at boot: whether the host's kernel runs at EL1 (nVHE) or at EL2 (VHE). */
export const KVM_SAYS = {
  "cortex-a72": /kvm \[1\]: Hyp mode initialized successfully/,
  max: /kvm \[1\]: VHE mode initialized successfully/,
} as const;

/** `guest`: whether the guest inside ends in a shell, or powers itself off. */
export function startKvmHost(who: "atoll" | "qemu", { cpu, gic, cpus }: KvmSetup, guest: "shell" | "poweroff") {
  const board = `virt,gic-version=${gic},virtualization=on`;
  const append = `console=ttyAMA0 atoll.guest=${guest}`;
  if (who === "atoll") {
    return new Atoll([
      ...["run", "--machine", board, "--cpu", cpu, "--cpus", `${cpus}`, "--memory", "1536M", "--timeout", "300"],
      ...["--kernel", FILES.kernel, "--initrd", FILES.kvmHost, "--append", append],
    ]);
  }
  const model = cpu === "max" ? "max,sve=off,pauth-impdef=on" : cpu;
  return new GuestProcess("qemu-system-aarch64", [
    ...["-M", board, "-cpu", model, "-smp", `${cpus}`, "-m", "1536", "-nic", "none", "-display", "none"],
    ...["-serial", "stdio", "-kernel", FILES.kernel, "-initrd", FILES.kvmHost, "-append", append],
  ]);
}
