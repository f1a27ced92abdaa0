// A guest that compiles and runs what it compiled for as long as one likes: node bench/compile.ts [--minutes 60] [--memory MIB]
// Each line is a sample: what the code cache holds, and what the process takes. It fails when either does not stay within its bounds.
// The compiler is Debian's, from guests/compiler/build.sh.

import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MAX_REGIONS } from "../src/engine/limits.ts";
import { Machine } from "../src/hosts/node/index.ts";
import { at } from "./systems.ts";

const MIB = 2 ** 20;
const { values } = parseArgs({
  options: { minutes: { type: "string", default: "60" }, memory: { type: "string", default: "512" } },
});
const disk = at(".cache", "compiler", "disk.img");
if (!existsSync(disk)) {
  console.log("skipped: guests/compiler/build.sh makes the guest's disk");
  process.exit(77);
}

const machine = await Machine.create({
  memory: `${values.memory}M`,
  disk: [{ file: disk, format: "raw", snapshot: true }],
  share: [{ folder: at("bench", "guest"), tag: "src", readOnly: true }],
});
await machine.start();
await machine.waitFor("~# ");
// Other options make other code of the same sources, so that what is compiled in the guest, and what runs there, is ever new.
const work = `
mount -t ext4 /dev/vda /mnt && mkdir -p /mnt/src && mount -t 9p -o trans=virtio,version=9p2000.L src /mnt/src
cat > /mnt/work.sh <<'END'
round=0
while :; do
  for level in 0 1 2 3 s; do
    for flag in unroll-loops no-inline omit-frame-pointer no-tree-vectorize wrapv; do
      for source in integer lz sort sha256 float; do
        gcc -O$level -f$flag -c -o /tmp/$source.o /src/$source.c || echo COMPILER-FAILED
      done
      round=$((round + 1))
      echo "ROUND $round"
    done
  done
done
END
mount -t tmpfs tmp /mnt/tmp; mount -t proc proc /mnt/proc
chroot /mnt /bin/bash /work.sh
`;
await machine.type(work);
await machine.waitFor("ROUND 1");

/** A tenth more at the end than when it was warm: no leak of a kilobyte a region would be less. */
const TOLERANCE = 1.1;
const started = performance.now();
const minutes = (): number => (performance.now() - started) / 60_000;
const resident: number[] = [];
let held = 0;
let rounds = 1;
machine.on("output", (bytes) => {
  const text = Buffer.from(bytes).toString("latin1");
  if (text.includes("COMPILER-FAILED")) throw new Error("the compiler failed in the guest");
  for (const [, round] of text.matchAll(/ROUND (\d+)/g)) rounds = Number(round);
});
while (minutes() < Number(values.minutes)) {
  await setTimeout(60_000);
  const counters = new Map((await machine.statistics()).map(({ name, value }) => [name, value]));
  const counter = (name: string): number => counters.get(name) ?? Number.NaN;
  held = Math.max(held, counter("regions held"));
  const rss = process.memoryUsage().rss / MIB;
  resident.push(rss);
  console.log(
    `${minutes().toFixed(0)} min: ${rounds} rounds, ${(counter("all") / 1e9).toFixed(0)} G instructions; ${counter("regions compiled")} regions compiled, ` +
      `${counter("regions held")} held with ${(counter("size") / MIB).toFixed(1)} MiB; resident ${rss.toFixed(0)} MiB`,
  );
}
await machine.close();
const part = (from: number, to: number): number =>
  Math.max(...resident.slice(Math.floor(from * resident.length), Math.ceil(to * resident.length)));
const [warm, end] = [part(0.25, 0.5), part(0.75, 1)];
console.log(
  `most regions held: ${held} of ${MAX_REGIONS}; resident ${warm.toFixed(0)} MiB when warm, ${end.toFixed(0)} MiB at the end`,
);
process.exit(held <= MAX_REGIONS && end <= TOLERANCE * warm ? 0 : 1);
