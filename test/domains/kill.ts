// Kills the node's process with all of its domains at random moments, again and again, while domains are added, removed and forked, and checks that
// no definition that was acknowledged is lost, and nothing that a guest has flushed to its disk: node test/domains/kill.ts [--count N] [--seed N]

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { NodeClient } from "../../src/server/domains/client.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { ROOT } from "../support/atoll.ts";
import { Random } from "../vectors/inputs.ts";

const MAIN = join(ROOT, "src", "cli", "main.ts");
const GUEST = join(ROOT, "guests", "embedded");
/** b . */
const LOOP = [0, 0, 0, 0x14];
/** Seconds that a guest may take to boot, on a computer that has other work. */
const PATIENCE = 600;

/** Counts on its disk, and says when a number is there for good. */
const INIT = `#!/bin/sh
mount -t devtmpfs dev /dev
i=$(head -c 8 /dev/vda | tr -dc 0-9)
echo "has-\${i:-0}-"
while :; do
  i=$((i + 1))
  printf '%-512s' $i | dd of=/dev/vda conv=fsync 2>/dev/null && echo "done-$i-"
done
`;

export interface KillResult {
  readonly kills: number;
  /** Commands that ended with status 0. */
  readonly done: number;
  /** Times that a guest was seen to have what it flushed. */
  readonly checked: number;
}

/** @param count of kills. */
export async function killNode(count: number, seed: number): Promise<KillResult> {
  const folder = mkdtempSync(join(tmpdir(), "atoll-kill-"));
  process.env.ATOLL_HOME = join(folder, "home");
  const state = new StateDirectory(process.env.ATOLL_HOME);
  const node = new NodeClient(state, [process.execPath, MAIN]);
  const initramfs = gunzipSync(readFileSync(join(GUEST, "initramfs.cpio.gz")));
  writeFileSync(join(folder, "initrd"), Buffer.concat([initramfs, archive("init", Buffer.from(INIT))]));
  writeFileSync(join(folder, "loop"), Uint8Array.from(LOOP));
  const writer = `{ kernel: ${join(GUEST, "Image.gz")}, initrd: initrd, append: "console=ttyAMA0 quiet", memory: 96M, net: none, disk: "new:1M" }`;
  const files = ["", "  c: { kernel: loop, memory: 16M, net: none }\n"].map((more, index) => {
    const file = join(folder, `${index}.yaml`);
    writeFileSync(file, `node: { memory: 400M }\ndomains:\n  db: ${writer}\n${more}`);
    return file;
  });
  try {
    return await rounds(node, files, count, new Random(seed));
  } finally {
    await node.down(true, () => {}).catch(() => {});
    rmSync(folder, { recursive: true });
    delete process.env.ATOLL_HOME;
  }
}

async function rounds(node: NodeClient, files: readonly string[], count: number, random: Random): Promise<KillResult> {
  const logOf = (name: string): string => {
    const { consoleLog } = node.state.domain(name);
    return existsSync(consoleLog) ? readFileSync(consoleLog, "latin1") : "";
  };
  /** The last number that was said after `from` in a domain's log. */
  const last = (name: string, what: "has" | "done", from = 0): number | undefined => {
    const all = [
      ...logOf(name)
        .slice(from)
        .matchAll(new RegExp(`${what}-(\\d+)-`, "g")),
    ];
    return all.length === 0 ? undefined : Number(all.at(-1)?.[1]);
  };
  const until = async (condition: () => boolean, what: string): Promise<void> => {
    for (const deadline = performance.now() + PATIENCE * 1000; !condition(); await setTimeout(100))
      assert.ok(performance.now() < deadline, `${what}: nothing came; ${logOf("db").slice(-300)}`);
  };
  const [without = "", withC = ""] = files;
  const before = performance.now();
  assert.equal(await atoll("up", without), 0);
  await until(() => (last("db", "done") ?? 0) > 3, "the first write");
  const span = Math.ceil((performance.now() - before) / 4);
  /** Undefined: a command that would change it was cut off. */
  const there = new Map<string, boolean | undefined>([
    ["db", true],
    ["c", false],
    ["twin", false],
  ]);
  let done = 0;
  let checked = 0;
  for (let round = 0; round < count; round++) {
    const [name, wanted, ...command] = [
      ["c", true, "up", withC] as const,
      ["c", false, "up", without] as const,
      there.get("twin") === true
        ? (["twin", false, "rm", "--force", "twin"] as const)
        : (["twin", true, "fork", "db", "twin"] as const),
    ][random.below(3)] as readonly [string, boolean, ...string[]];
    const { node: info } = await node.ask("list", {});
    const running = atoll(...command);
    await setTimeout(random.below(span));
    process.kill(info.pid, "SIGKILL");
    const status = await running;
    if (status === 0) done++;
    there.set(name, status === 0 ? wanted : undefined);
    // Of the process that a command has started after the kill.
    if (node.runs) await node.down(true, () => {}).catch(() => {});
    const marks = ["db", "twin"].map((each) => ({ each, at: logOf(each).length, flushed: last(each, "done") }));
    assert.equal(await atoll("up"), 0, `round ${round}: up after ${command.join(" ")}`);
    const { domains } = await node.ask("list", {});
    for (const [each, expected] of there) {
      const found = domains.some((domain) => domain.name === each);
      assert.ok(expected === undefined || found === expected, `round ${round}: ${each} after ${command.join(" ")}`);
      there.set(each, found);
    }
    for (const { each, at, flushed } of marks) {
      if (there.get(each) !== true) continue;
      await until(() => last(each, "done", at) !== undefined, `round ${round}: ${each}`);
      const has = last(each, "has", at) ?? 0;
      assert.ok(has >= (flushed ?? 0), `round ${round}: ${each} has ${has}, and ${flushed} was flushed`);
      checked++;
    }
  }
  return { kills: count, done, checked };
}

/** Its exit status. */
async function atoll(...args: string[]): Promise<number | null> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
  const [status] = (await once(child, "close")) as [number | null];
  return status;
}

/** A cpio archive ("newc") with one file, which the kernel unpacks over those before it. */
function archive(name: string, contents: Uint8Array): Buffer {
  const entry = (file: string, mode: number, bytes: Uint8Array): Buffer => {
    const fields = [1, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, file.length + 1, 0];
    const head = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, "0")).join("")}${file}\0`);
    const padded = (part: Uint8Array): Buffer => Buffer.concat([part, Buffer.alloc((4 - (part.length % 4)) % 4)]);
    return Buffer.concat([padded(head), padded(bytes)]);
  };
  return Buffer.concat([entry(name, 0o100755, contents), entry("TRAILER!!!", 0, new Uint8Array(0))]);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "30" }, seed: { type: "string", default: String(Date.now() % 1e6) } },
  });
  console.log(`seed ${values.seed}`);
  console.log(await killNode(Number(values.count), Number(values.seed)));
  process.exit(0);
}
