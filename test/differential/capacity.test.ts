// Guests with more code than is kept decoded and translated.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PC, X } from "../../src/cpu/state-layout.ts";
import { MAX_DECODED_PAGES } from "../../src/engine/limits.ts";
import { addImm, andMask, b, cbz, mov64, subImm, WFI } from "./assembler.ts";
import { CODE } from "./environment.ts";
import { ENTRY, makeRig, poke, statistic } from "./rig.ts";

const PAGES = MAX_DECODED_PAGES + 300;
const PAGE_WORDS = 1024;
const TIMES = 3;

for (const tier of ["interpreter", "translator", "auto"] as const) {
  test(`a loop through ${PAGES} pages, ${tier}`, { timeout: 120_000 }, async () => {
    const rig = await makeRig({ tier, memory: 32 << 20 });
    rig.machine.reset();
    poke(rig, ENTRY, [...mov64(0, 0), ...mov64(26, TIMES), b((CODE - ENTRY) / 4 - 8)]);
    for (let i = 0; i < PAGES; i++) {
      // Not at the start of a page, and not at the same place of each.
      const at = i === 0 ? 0 : 1 + ((i * 7) % 900);
      const next = PAGE_WORDS + 1 + (((i + 1) * 7) % 900) - at;
      poke(rig, CODE + 4 * (PAGE_WORDS * i + at), [addImm(0, 0, 1 + (i & 0x7ff)), andMask(0, 0, 62), b(next - 2)]);
    }
    const last = 1 + ((PAGES * 7) % 900);
    const end = [subImm(26, 26, 1), cbz(26, 2), b(-(PAGE_WORDS * PAGES + last + 2)), WFI, b(-1)];
    poke(rig, CODE + 4 * (PAGE_WORDS * PAGES + last), end);
    let ended = false;
    for (let i = 0; i < 200 && !ended; i++) ended = rig.machine.run(1).kind === "idle";
    const state = rig.states[0] as (typeof rig.states)[number];
    assert.ok(ended, `it came to its end; PC is 0x${state.number(PC).toString(16)}`);
    let sum = 0;
    for (let i = 0; i < PAGES; i++) sum += 1 + (i & 0x7ff);
    assert.equal(state.number(X), sum * TIMES);
    assert.ok(statistic(rig, "evictions of decoded pages") >= TIMES);
    if (tier === "translator") assert.ok(statistic(rig, "regions compiled") > PAGES * 2);
  });
}
