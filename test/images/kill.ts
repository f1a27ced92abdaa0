// Kills a process that writes to qcow2 images, again and again, and checks that nothing flushed is lost and no image is damaged:
// node test/images/kill.ts [--count N] [--seed N]

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { nodeImages } from "../../src/hosts/node/block-file.ts";
import { openImage } from "../../src/images/open.ts";
import { checkQcow2 } from "../../src/images/qcow2/check.ts";
import { createQcow2 } from "../../src/images/qcow2/create.ts";
import type { Qcow2Image } from "../../src/images/qcow2/qcow2.ts";
import { createSnapshot, deleteSnapshot } from "../../src/images/qcow2/snapshots.ts";
import { Random } from "../vectors/inputs.ts";

export const BLOCK = 4096;
const BLOCKS = 4096;
/** In place of a version: the block was being written. */
const ANYTHING = -1;

/** Block `block` after its write number `version`; zeros before the first. */
function contents(block: number, version: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  if (version > 0) new Uint32Array(bytes.buffer).fill(Math.imul(block + 1, 0x9e3779b1) ^ version);
  return bytes;
}

/** What a block's versions are: its last flushed one, and the later ones, of which it may have any. */
interface Block {
  flushed: number;
  last: number;
}

/** Writes blocks at random, and says on stdout what it is about to write and what is flushed, until it is killed. */
function writer(file: string, seed: number, first: number): void {
  const random = new Random(seed);
  const image = openImage(nodeImages, file, { writable: true }) as Qcow2Image;
  // Standard output is a file: what was said is there when this returns.
  const say = (text: string): void => void writeSync(1, text);
  for (let version = first; ; version++) {
    const block = random.below(BLOCKS);
    const action = random.below(60);
    if (action === 0) {
      image.flush();
      say("f\n");
    } else if (action === 1 && image.snapshots.length < 3) createSnapshot(image, `s${version}`, version);
    else if (action === 2 && image.snapshots.length > 1) deleteSnapshot(image, image.snapshots[0]!.name);
    else if (action === 3) {
      say(`z ${block}\n`);
      image.writeZeroes(block * BLOCK, BLOCK, true);
    } else {
      say(`w ${block} ${version}\n`);
      image.write(block * BLOCK, contents(block, version));
    }
  }
}

export interface KillResult {
  readonly kills: number;
  readonly writes: number;
  readonly leaks: number;
}

/** @throws Error that says what was lost or damaged. */
export async function killWriters(count: number, seed: number, folder: string): Promise<KillResult> {
  const random = new Random(seed);
  const file = join(folder, "killed.qcow2");
  let blocks: Block[] = [];
  let version = 1;
  let [writes, leaks] = [0, 0];
  for (let kill = 0; kill < count; kill++) {
    if (kill % 20 === 0) {
      rmSync(file, { force: true });
      writeFileSync(file, "");
      const storage = nodeImages.open(file, true);
      createQcow2(storage, BLOCK * BLOCKS, { clusterBytes: 2 ** (9 + random.below(8)), refcountBits: 16 });
      storage.close();
      blocks = Array.from({ length: BLOCKS }, () => ({ flushed: 0, last: 0 }));
    }
    const log = await runAndKill(file, random.below(2 ** 31), version, 200 + random.below(400));
    const allowed = blocks.map((b) => new Set([b.flushed]));
    const lines = log.split("\n").slice(0, -1);
    for (const line of lines) {
      const [what, block, number] = line.split(" ");
      if (what === "f") {
        for (let b = 0; b < BLOCKS; b++) {
          blocks[b]!.flushed = blocks[b]!.last;
          allowed[b] = new Set([blocks[b]!.last]);
        }
        continue;
      }
      writes++;
      const written = what === "z" ? 0 : Number(number);
      version = Math.max(version, written + 1);
      blocks[Number(block)]!.last = written;
      allowed[Number(block)]!.add(written);
    }
    // What was being written may be there in part.
    const [what, block] = (lines.at(-1) ?? "").split(" ");
    if (what === "w" || what === "z") allowed[Number(block)]!.add(ANYTHING);
    leaks += verify(file, allowed, blocks);
  }
  return { kills: count, writes, leaks };
}

/** @returns the number of leaked clusters. */
function verify(file: string, allowed: Set<number>[], blocks: Block[]): number {
  const look = openImage(nodeImages, file, { writable: false, forCheck: true }) as Qcow2Image;
  const result = checkQcow2(look, false);
  // A cluster that is not shared any more may not be marked so yet: only snapshots being deleted leave that behind.
  const faults = result.messages.filter((m) => !m.includes("leaks") && !m.includes("COPIED"));
  if (faults.length > 0) throw new Error(`damaged: ${faults.join("; ")}`);
  look.close();
  const image = openImage(nodeImages, file, { writable: false });
  const bytes = new Uint8Array(BLOCK);
  for (let b = 0; b < BLOCKS; b++) {
    image.read(b * BLOCK, bytes);
    const versions = [...allowed[b]!];
    const found =
      versions.find((version) => Buffer.compare(contents(b, version), bytes) === 0) ??
      versions.find((version) => version === ANYTHING);
    if (found === undefined) throw new Error(`block ${b} has none of its versions ${versions}`);
    blocks[b] = { flushed: found, last: found };
  }
  image.close();
  return result.leaks;
}

/** @returns what the writer said until it was killed. */
async function runAndKill(file: string, seed: number, version: number, milliseconds: number): Promise<string> {
  const log = `${file}.log`;
  const output = openSync(log, "w");
  const args = [fileURLToPath(import.meta.url), "--write", file, "--seed", String(seed), "--version", String(version)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", output, "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  // From its first word on: starting takes longer than the time that it is given.
  while (statSync(log).size === 0 && child.exitCode === null) await setTimeout(5);
  await setTimeout(milliseconds);
  child.kill("SIGKILL");
  const status = await ended;
  closeSync(output);
  if (status !== null) throw new Error(`the writer ended with ${status}`);
  return readFileSync(log, "latin1");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "300" },
      seed: { type: "string", default: "1" },
      write: { type: "string" },
      version: { type: "string", default: "1" },
    },
  });
  if (values.write !== undefined) writer(values.write, Number(values.seed), Number(values.version));
  else {
    const folder = mkdtempSync(join(tmpdir(), "atoll-kill-"));
    try {
      const { kills, writes, leaks } = await killWriters(Number(values.count), Number(values.seed), folder);
      console.log(
        `${kills} kills, ${writes} writes, ${leaks} leaked clusters: nothing flushed was lost, no image damaged`,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}
