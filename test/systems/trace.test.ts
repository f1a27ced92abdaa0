// Traces of the embedded guest, as a user takes them.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Atoll } from "../support/atoll.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-trace-"));
after(() => rmSync(folder, { recursive: true }));

/** Boots the embedded guest, powers it off, and gives the lines of its trace. */
async function traced(...args: readonly string[]): Promise<string[]> {
  const file = join(folder, "trace");
  const guest = new Atoll(["run", "--timeout", "150", "--trace-file", file, ...args]);
  await guest.waitFor("atoll:~# ", 120);
  guest.type("poweroff\n");
  const { status, stdout, stderr } = await guest.finished;
  assert.equal(status, 0, stdout.slice(-1000) + stderr);
  return readFileSync(file, "latin1").split("\n").slice(0, -1);
}

const LINE =
  /^\d+\.\d{9} (-|cpu\d) (-|(S-)?EL[0-3]) (-|[0-9a-f]{16}) (-|\S+) (exceptions|traps|tlb|gic|sysreg|mmio): \S.*$/;

function find(lines: readonly string[], pattern: RegExp): void {
  assert.ok(
    lines.some((line) => pattern.test(line)),
    `no ${pattern}`,
  );
}

test("two PEs with a GICv2: everything, with the kernel's names for its functions", { timeout: 300_000 }, async () => {
  const machine = ["--machine", "virt,gic-version=2", "--cpus", "2"];
  const lines = await traced(...machine, "--trace", "exceptions,traps,tlb,gic,sysreg,mmio");
  assert.deepEqual(
    lines.filter((line) => !LINE.test(line)),
    [],
  );
  const named = lines.filter((line) => / EL1 ffff8/.test(line));
  assert.ok(named.filter((line) => / EL1 [0-9a-f]{16} - /.test(line)).length < 0.01 * named.length);
  find(lines, / cpu1 EL1 \S+ gic_handle_irq\S* gic: gic\.cpu-interface\+0xc read 4 \S+: acknowledge 27$/);
  find(lines, / gic_ipi_send_mask\S* gic: gic\.distributor\+0xf00 write 4 \S+: SGI \d+ to CPU mask 0x[12]$/);
  find(lines, / cpu0 EL1 \S+ \S+ mmio: pl011\+0x0 write \d \S+$/);
  find(lines, / cpu[01] EL0 \S+ - exceptions: EL0 -> EL1 SVC: #0x0, ESR 0x56000000, vector 0x400$/);
  find(lines, / exceptions: HVC #0x0 to firmware, X0 0xc4000003, done with X0 0x0$/);
  find(lines, / cpu_do_switch_mm\S* tlb: MSR TTBR0_EL1, x\d+ = 0x/);
  find(lines, / sysreg: MRS x\d+, SP_EL0 = 0xffff/);
});

test("Linux at EL2 with a GICv3: its functions have names there, too", { timeout: 300_000 }, async () => {
  const lines = await traced("--machine", "virt,virtualization=on", "--trace", "gic,tlb,el2");
  assert.ok(lines.every((line) => LINE.test(line) && /^\S+ (-|cpu0) (-|EL2) /.test(line)));
  find(lines, / EL2 \S+ gic_handle_irq\S* gic: MRS x\d+, ICC_IAR1_EL1 = 0x\w+: acknowledge \d+$/);
  find(lines, / EL2 \S+ \S+ tlb: TLBI VALE1IS, x\d+ = 0x\w+: VA 0x\w+, ASID \d+$/);
});
