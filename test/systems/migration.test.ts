// A Linux that moves between two nodes while it works, with its disk; and one in a file.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeFile } from "../../src/contract/node.ts";
import { freePort, TestNode } from "../support/two-nodes.ts";

const MiB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "atoll-migration-"));
const nodes: TestNode[] = [];

after(async () => {
  for (const node of nodes) await node.end();
  rmSync(folder, { recursive: true, force: true });
});

/** An authority, and a certificate for 127.0.0.1 by it. */
function certificates(): { good: string; foreign: string } {
  const make = (name: string): string => {
    const at = join(folder, name);
    mkdirSync(at);
    const ssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: at, stdio: "ignore" });
    ssl(..."req -x509 -newkey ed25519 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=authority".split(" "));
    ssl(..."req -newkey ed25519 -nodes -keyout key.pem -out node.csr -subj /CN=node".split(" "));
    writeFileSync(join(at, "names"), "subjectAltName=IP:127.0.0.1\n");
    ssl(
      ..."x509 -req -in node.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile names -out cert.pem".split(
        " ",
      ),
    );
    return at;
  };
  return { good: make("good"), foreign: make("foreign") };
}

test("a Linux goes on in another node, by TLS, with its memory, its disk and its network; and comes back", {
  timeout: 900_000,
}, async (t) => {
  const { good, foreign } = certificates();
  const first = new TestNode(join(folder, "first"), await freePort(), ["--migration-tls", good]);
  const second = new TestNode(join(folder, "second"), await freePort(), ["--migration-tls", good]);
  const stranger = new TestNode(join(folder, "stranger"), await freePort(), ["--migration-tls", foreign]);
  nodes.push(first, second, stranger);
  const node = { memory: 256 * MiB, cpus: 2 };
  const linux = { memory: 128 * MiB, cpus: 2, disk: [{ bytes: 32 * MiB }] };
  await first.up(nodeFile.parse({ node, domains: { linux } }));
  first.shareTokenWith(second);
  first.shareTokenWith(stranger);
  await second.up(nodeFile.parse({ node, domains: {} }));
  await stranger.up(nodeFile.parse({ node, domains: {} }));
  await assert.rejects(first.migrate("linux", stranger.port), /cannot reach 127\.0\.0\.1:\d+: |stays here/);
  await first.shell("linux");
  await first.command(
    "linux",
    "head -c 4000000 /dev/urandom >/tmp/a; md5sum /tmp/a >/tmp/sum; dd if=/tmp/a of=/dev/vda bs=64k conv=fsync; n=7",
  );
  // It writes to its memory and its disk while it is copied.
  await first.command(
    "linux",
    "(i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i >>/tmp/count; dd if=/tmp/a of=/dev/vda bs=64k seek=$((64+i%64)) count=1 2>/dev/null; done; echo finished >/tmp/end) & true",
  );
  const there = await first.migrate("linux", second.port);
  const back = await second.migrate("linux", first.port);
  const again = await first.migrate("linux", second.port);
  for (const { rounds, pages, blocks, downtime } of [there, back, again])
    t.diagnostic(`${rounds} rounds, ${pages} pages, ${blocks} blocks; ${downtime.toFixed(1)} ms`);
  assert.ok(there.blocks >= 61);
  const shown = await second.command(
    "linux",
    "md5sum -c /tmp/sum; echo n=$n; wait; cat /tmp/end; sync; echo 3 >/proc/sys/vm/drop_caches; head -c 4000000 /dev/vda | cmp - /tmp/a && echo same-disk; uniq /tmp/count | wc -l; grep -c ^processor /proc/cpuinfo",
  );
  assert.match(shown, /^\/tmp\/a: OK$/m);
  assert.match(shown, /^n=7$/m);
  assert.match(shown, /^finished$/m);
  assert.match(shown, /^same-disk$/m);
  assert.match(shown, /^300$/m);
  assert.match(shown, /^2$/m);
  assert.equal((await first.domain("linux"))?.status, "moved");

  // In a file, with its disk.
  const file = join(folder, "linux.atoll");
  await second.client.ask("save", { name: "linux", file });
  assert.deepEqual(await stranger.client.ask("load", { file, name: "copy" }), { name: "copy" });
  const copied = await stranger.command(
    "copy",
    "head -c 4000000 /dev/vda | cmp - /tmp/a && echo copied-disk; echo n=$n",
  );
  assert.match(copied, /^copied-disk$/m);
  assert.match(copied, /^n=7$/m);
  assert.match(await second.command("linux", "echo still-$n"), /^still-7$/m);
  for (const { processLog } of nodes) assert.equal(processLog, "");
});
