// Domains that move with what they share with others, or do not keep: memory of channels, and disks whose changes end with the run.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeFile } from "../../src/contract/node.ts";
import { freePort, TestNode } from "../support/two-nodes.ts";

const MiB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "atoll-migration-shared-"));
const nodes: TestNode[] = [];

after(async () => {
  for (const node of nodes) await node.end();
  rmSync(folder, { recursive: true, force: true });
});

async function twoNodes(name: string, file: object): Promise<[TestNode, TestNode]> {
  const pair = [
    new TestNode(join(folder, `${name}-here`), await freePort()),
    new TestNode(join(folder, `${name}-there`), await freePort()),
  ] as [TestNode, TestNode];
  nodes.push(...pair);
  const node = { memory: 320 * MiB };
  await pair[0].up(nodeFile.parse({ node, ...file }));
  pair[0].shareTokenWith(pair[1]);
  await pair[1].up(nodeFile.parse({ node, domains: {} }));
  return pair;
}

test("a disk with ,snapshot goes along with its changes, which end with the run there, too; and so it does in a file", {
  timeout: 900_000,
}, async () => {
  const base = join(folder, "base.img");
  const bytes = new Uint8Array(4 * MiB).fill(0x62);
  writeFileSync(base, bytes);
  const linux = { memory: 96 * MiB, disk: [{ file: base, snapshot: true }] };
  const [here, there] = await twoNodes("disk", { domains: { linux } });
  await here.shell("linux");
  // Over what is not zeroes, content and zeroes; and while it is copied.
  await here.command(
    "linux",
    "printf changed | dd of=/dev/vda bs=1 seek=65536 conv=notrunc; dd if=/dev/zero of=/dev/vda bs=64k seek=2 count=1; sync; (i=0; while [ $i -lt 200 ]; do i=$((i+1)); printf %04d $i | dd of=/dev/vda bs=4 seek=65536 conv=notrunc,fsync 2>/dev/null; done; echo finished >/tmp/end) & true",
  );
  const moved = await here.migrate("linux", there.port);
  assert.ok(moved.blocks >= 66, `${moved.blocks} blocks`);
  const look =
    "sync; echo 3 >/proc/sys/vm/drop_caches; b() { dd if=/dev/vda bs=1 skip=$1 count=$2 2>/dev/null; }; echo $(b 0 4) $(b 65536 8) $(b 131072 4 | hexdump -e '1/4 \"%x\"') $(b 196608 4) $(b 262144 5)";
  assert.match(
    await there.command("linux", `wait; cat /tmp/end; ${look}`),
    /^finished$[\s\S]*^bbbb changedb 0 bbbb 0200b$/m,
  );
  assert.ok(readFileSync(base).equals(bytes), "the base was written");

  const file = join(folder, "linux.atoll");
  await there.client.ask("save", { name: "linux", file });
  await there.client.ask("load", { file, name: "copy" });
  assert.match(await there.command("copy", look), /^bbbb changedb 0 bbbb 0200b$/m);

  for (const name of ["linux", "copy"]) {
    await there.client.ask("stop", { name, force: true });
    await there.client.ask("start", { name });
    await there.until(
      () => there.log(name).split("atoll:~# ").length > 2 && there.log(name).endsWith("atoll:~# "),
      () => `no shell: ${there.log(name).slice(-500)}`,
    );
    assert.match(await there.command(name, look), /^bbbb bbbbbbbb 62626262 bbbb bbbbb$/m);
  }
  for (const { processLog } of [here, there]) assert.equal(processLog, "");
});

test("a domain that is paused arrives as that, and stays there with its disk", { timeout: 600_000 }, async () => {
  const [here, there] = await twoNodes("paused", { domains: { linux: { memory: 96 * MiB, disk: [{ bytes: MiB }] } } });
  await here.shell("linux");
  await here.command("linux", "n=7; printf kept | dd of=/dev/vda conv=fsync");
  await here.client.ask("pause", { name: "linux" });
  await here.migrate("linux", there.port);
  assert.equal((await there.domain("linux"))?.status, "paused");
  await there.client.ask("resume", { name: "linux" });
  assert.match(await there.command("linux", "echo n=$n; head -c 4 /dev/vda; echo"), /^n=7\nkept$/m);
  assert.equal((await there.domain("linux"))?.restarts, 0);
  for (const { processLog } of [here, there]) assert.equal(processLog, "");
});

test("members of a channel go with its memory and doorbells while none of them runs, and not otherwise", {
  timeout: 900_000,
}, async () => {
  const [MEMORY, RING, TAKE] = ["0x800000000", "0xb000000", "0xb000004"];
  const domains = { shop: { memory: 96 * MiB }, db: { memory: 96 * MiB } };
  const channels = { orders: { size: 65536, members: ["shop", "db"] } };
  const [here, there] = await twoNodes("channel", { domains, channels });
  const at = async (node: TestNode, name: string): Promise<string | undefined> => (await node.domain(name))?.status;
  for (const name of Object.keys(domains)) await here.shell(name);
  await here.command("shop", `devmem ${MEMORY} 32 0x12345678; devmem ${RING} 32 1`);
  await assert.rejects(here.migrate("shop", there.port), /shares the channel orders with db, which is here: stop db/);
  await here.client.ask("pause", { name: "db" });
  await assert.rejects(here.migrate("shop", there.port), /shares the channel orders with db/);
  await here.client.ask("pause", { name: "shop" });

  // One after the other, both standing still.
  await here.migrate("shop", there.port);
  assert.deepEqual([await at(here, "shop"), await at(there, "shop")], ["moved", "paused"]);
  assert.deepEqual(
    (await there.domain("shop"))?.channels.map(({ name, size }) => [name, size]),
    [["orders", 65536]],
  );
  // Where one of them has gone on alone, what it had in common with the other is not any more.
  await there.client.ask("resume", { name: "shop" });
  await assert.rejects(here.migrate("db", there.port), /shop, with which it shares the channel orders, runs there/);
  assert.match(await there.command("shop", `devmem ${MEMORY}; devmem ${MEMORY} 32 7`), /^0x12345678$/m);
  await there.client.ask("pause", { name: "shop" });
  await assert.rejects(here.migrate("db", there.port), /what is in the channel orders is not the same there any more/);
  assert.equal(await at(here, "db"), "paused");
  await there.client.ask("resume", { name: "shop" });
  await there.command("shop", `devmem ${MEMORY} 32 0x12345678`);
  await there.client.ask("pause", { name: "shop" });

  await here.migrate("db", there.port);
  for (const name of Object.keys(domains)) await there.client.ask("resume", { name });
  // Who has rung before is still to be answered.
  assert.match(
    await there.command("db", `devmem ${MEMORY}; devmem ${TAKE}; devmem ${TAKE}`),
    /^0x12345678\n0x00000001\n0x00000000$/m,
  );
  await there.command("db", `devmem ${MEMORY} 32 0xabcd; devmem ${RING} 32 0`);
  assert.match(await there.command("shop", `devmem ${MEMORY}; devmem ${TAKE}`), /^0x0000ABCD\n0x00000002$/m);

  // One whose fellow member does not run moves while it runs; back, too, and into the channel that is there.
  await there.client.ask("stop", { name: "shop", force: true });
  await there.migrate("db", here.port);
  assert.match(await here.command("db", `devmem ${MEMORY}`), /^0x0000ABCD$/m);
  await assert.rejects(
    here.client.ask("save", { name: "db", file: join(folder, "db.atoll") }),
    /shares channels with others/,
  );
  for (const { processLog } of [here, there]) assert.equal(processLog, "");
});
