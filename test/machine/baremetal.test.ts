import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { atoll, ROOT } from "../support/atoll.ts";

const bin = join(ROOT, "test", "baremetal", "bin");

/** Images that need EL2, EL3 for which they are firmware, and what only `max` has. */
const OF_EL2 = /^(host|nested|traps|stage2|lists|virtual|timers|routing|el3)/;
const OF_EL3 = /^el3/;
const OF_MAX = /^(host|nested)/;

/** What each image needs of the machine. */
function options(image: string, path: string): string[] {
  const gic = /gicv([23])/.exec(image)?.[1] ?? "3";
  const el2 = OF_EL2.test(image) ? ",virtualization=on" : "";
  const el3 = OF_EL3.test(image) ? ",secure=on" : "";
  return [
    ...["--machine", `virt,gic-version=${gic}${el2}${el3}`],
    ...(OF_EL3.test(image) ? ["--bios", path, "--semihosting"] : ["--kernel", path]),
    ...(image.startsWith("smp") ? ["--cpus", "2"] : []),
  ];
}

assert.ok(existsSync(bin), "test/baremetal/bin holds the assembled images");
describe("bare metal", { concurrency: 2 }, () => {
  for (const file of readdirSync(bin).filter((f) => f.endsWith(".bin") && f !== "semihosting.bin")) {
    const image = file.replace(".bin", "");
    for (const cpu of OF_MAX.test(image) ? ["max"] : ["cortex-a72", "max"]) {
      for (const tier of ["interpreter", "translator"]) {
        test(`${image} on ${cpu}, ${tier}`, { timeout: 80_000 }, async () => {
          const run = await atoll(
            ...["run", "--cpu", cpu, "--tier", tier, "--timeout", "60"],
            ...options(image, join(bin, file)),
          );
          const lines = run.stdout.split(/\r?\n/);
          assert.deepEqual(
            lines.filter((l) => l.startsWith("not ok")),
            [],
          );
          const done = /^done ([0-9a-f]+) ([0-9a-f]+)/m.exec(run.stdout);
          assert.ok(done, `it ran to its end; found: ${run.stdout.slice(-400)}${run.stderr}`);
          assert.ok(Number.parseInt(done[1] as string, 16) > 0);
          assert.equal(Number.parseInt(done[2] as string, 16), 0);
          assert.equal(run.status, 0);
        });
      }
    }
  }
});
