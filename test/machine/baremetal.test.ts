import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { atoll, ROOT } from "../support/atoll.ts";

const bin = join(ROOT, "test", "baremetal", "bin");

/** Images that start at EL2, and need what only `max` has there. */
const OF_EL2 = /^(host|nested)/;

/** What each image needs of the machine. */
function options(image: string): string[] {
  const gic = /gicv([23])/.exec(image)?.[1] ?? "3";
  const el2 = OF_EL2.test(image) ? ",virtualization=on" : "";
  return ["--machine", `virt,gic-version=${gic}${el2}`, ...(image.startsWith("smp") ? ["--cpus", "2"] : [])];
}

assert.ok(existsSync(bin), "test/baremetal/bin holds the assembled images");
for (const file of readdirSync(bin).filter((f) => f.endsWith(".bin") && f !== "semihosting.bin")) {
  const image = file.replace(".bin", "");
  for (const cpu of OF_EL2.test(image) ? ["max"] : ["cortex-a72", "max"]) {
    for (const tier of ["interpreter", "translator"]) {
      test(`bare metal: ${image} on ${cpu}, ${tier}`, { timeout: 60_000 }, async () => {
        const run = await atoll(
          ...["run", "--kernel", join(bin, file), "--cpu", cpu, "--tier", tier, "--timeout", "40"],
          ...options(image),
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
