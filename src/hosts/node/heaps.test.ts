import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const MODULE = JSON.stringify(new URL("./heaps.ts", import.meta.url).href);

/**
 * What a program of its own, that has not done anything yet, tells of V8's space for new objects: the least of many looks while it makes garbage, as
 * pages that have been emptied into the old space as they are count as the new one's for a while.
 */
function newSpace(program: string): { mebibytes: number; flags: boolean } {
  const text = `import { cachedDataVersionTag, getHeapSpaceStatistics } from "node:v8";
    import { growNewSpace, keepHeapsSmall } from ${MODULE};
    const flags = cachedDataVersionTag();
    ${program}
    let mebibytes = Infinity;
    for (let look = 0; look < 200; look++) {
      Array.from({ length: 1000 }, () => new Array(64));
      const { space_used_size: used, space_available_size: free } =
        getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
      mebibytes = Math.min(mebibytes, (used + free) / 2 ** 20);
    }
    console.log(JSON.stringify({ mebibytes, flags: cachedDataVersionTag() === flags }));`;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "--eval", text], { encoding: "utf8" }));
}

const WORK = "let kept = []; for (let i = 0; i < 1e5; i++) kept.push(new Array(64).fill(i));";

test("the space for new objects is large from the start, and V8's flags are as they were", () => {
  const { mebibytes, flags } = newSpace("growNewSpace();");
  assert.ok(mebibytes >= 7 && mebibytes <= 9, `${mebibytes} MiB`);
  assert.ok(flags);
});

test("a space that is kept small does not grow, however much survives", () => {
  const [free, kept] = [WORK, `keepHeapsSmall(); ${WORK}`].map((program) => newSpace(program).mebibytes) as [
    number,
    number,
  ];
  assert.ok(free >= 2 * kept, `${free} and ${kept} MiB`);
});
