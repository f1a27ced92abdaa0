// An operating system boots alike on both tiers. Interrupts come between other instructions (translated code looks for them at fewer
// places), so the console's text is compared without its times, and the numbers of instructions only roughly.

import assert from "node:assert/strict";
import { test } from "node:test";
import { boot } from "./boot.ts";
import { statistic } from "./rig.ts";

const COMMANDS = [
  "uname -m",
  "find / -xdev -type f | sort | xargs cat | sha256sum",
  "awk 'BEGIN { for (i = 1; i < 20000; i++) s += sin(i) / sqrt(i); print s, exp(1), atan2(0, -1) }'",
  "seq 1 3000 | sort -r | md5sum",
  "poweroff",
];

/** Without the times of kernel messages. */
const timeless = (text: string): string => text.replace(/^\[ *[0-9]+\.[0-9]{6}\] /gm, "");

for (const cpus of [1, 2]) {
  test(`the embedded guest's console is the same with the interpreter alone, ${cpus} CPUs`, {
    timeout: 300_000,
  }, async () => {
    const interpreted = await boot({ tier: "interpreter", cpus }, `${COMMANDS.join("; ")}\n`, 100);
    assert.equal(interpreted.end, "off", interpreted.console.slice(-500));
    const translated = await boot({ tier: "auto", cpus }, `${COMMANDS.join("; ")}\n`, 100);
    assert.equal(translated.end, "off", translated.console.slice(-500));
    assert.ok(statistic(translated.rig, "instructions translated") > 10_000);
    if (cpus === 1) {
      assert.equal(timeless(translated.console), timeless(interpreted.console));
    } else {
      // Which CPU says something first is chance.
      const lines = (text: string): string[] => timeless(text).split("\n").sort();
      assert.deepEqual(lines(translated.console), lines(interpreted.console));
    }
    const ratio = translated.instructions / interpreted.instructions;
    assert.ok(ratio > 0.97 && ratio < 1.03, `${translated.instructions} and ${interpreted.instructions} instructions`);
  });
}

test("with the same parts the same happens", { timeout: 300_000 }, async () => {
  const [first, second] = [
    await boot({ tier: "interpreter", cpus: 1 }, "poweroff\n", 100),
    await boot({ tier: "interpreter", cpus: 1 }, "poweroff\n", 100),
  ];
  assert.equal(first.end, "off");
  assert.equal(second.console, first.console);
  assert.equal(second.instructions, first.instructions);
  assert.equal(second.time, first.time);
});
