// A domain that stops with its state saved, and goes on from there: in the same process of the node, and in another one.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodeFile } from "../../src/contract/node.ts";
import { freePort, TestNode } from "../support/two-nodes.ts";

const MiB = 2 ** 20;

test("a domain that was saved when it stopped goes on from there, once", { timeout: 900_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-save-"));
  const node = new TestNode(join(folder, "node"), await freePort());
  const ask = node.client.ask.bind(node.client);
  const status = async (): Promise<string | undefined> => (await node.domain("linux"))?.status;
  try {
    const linux = { memory: 96 * MiB, cpus: 2, net: { kind: "none" as const }, disk: [{ bytes: 4 * MiB }] };
    await node.up(nodeFile.parse({ node: { memory: 128 * MiB, cpus: 2 }, domains: { linux } }));
    await node.shell("linux");
    await node.command("linux", "n=7; echo kept >/dev/vda; sync; (while :; do :; done) & true");
    await assert.rejects(ask("stop", { name: "linux", save: true, force: true }), /give one of save and force/);
    await ask("stop", { name: "linux", save: true });
    assert.equal(await status(), "saved");
    assert.equal((await ask("list", {})).node.memory.free, 128 * MiB);

    // Another process of the node's: it is still saved, and does not start by itself.
    await node.kill();
    await node.up();
    assert.equal(await status(), "saved");
    const disk = join(node.client.state.domain("linux").path, "disk0.qcow2");
    utimesSync(disk, 1, 1);
    await assert.rejects(ask("start", { name: "linux" }), /disk0\.qcow2 has changed since linux was saved/);
    await ask("start", { name: "linux", cold: true });
    await node.until(
      () => /Atoll: Linux[\s\S]*Atoll: Linux[\s\S]*atoll:~# /.test(node.log("linux")),
      () => node.log("linux").slice(-300),
    );
    assert.match(await node.command("linux", "echo n=$n; head -1 /dev/vda"), /^n=$[\s\S]*^kept$/m);

    // Its definition may be another where the guest does not see that, and nothing changes where it may not.
    const withLinux = (changes: object): ReturnType<typeof nodeFile.parse> =>
      nodeFile.parse({ node: { memory: 128 * MiB, cpus: 2 }, domains: { linux: { ...linux, ...changes } } });
    await node.command("linux", "n=9");
    await ask("stop", { name: "linux", save: true });
    await assert.rejects(
      node.up(withLinux({ memory: 100 * MiB, cpus: 1 }), false, []),
      /linux is saved, and cannot go on with other memory, cpus: .*--cold/,
    );
    assert.equal(await status(), "saved");
    await node.up(withLinux({ schedule: { weight: 1000 }, restart: { when: "always" }, stopTimeout: 7 }), false, []);
    assert.equal((await node.domain("linux"))?.definition.stopTimeout, 7);
    assert.match(await node.command("linux", "echo n=$n"), /^n=9$/m);
    await ask("stop", { name: "linux", save: true });
    const shown = node.log("linux").length;
    await node.up(withLinux({ cpus: 1 }), true, []);
    const listens = (): boolean => /Atoll: Linux[\s\S]*atoll:~# /.test(node.log("linux").slice(shown));
    await node.until(listens, () => node.log("linux").slice(-300));
    assert.match(await node.command("linux", "echo n=$n cpus=$(nproc)"), /^n= cpus=1$/m);

    await node.command("linux", "n=8");
    await ask("pause", { name: "linux" });
    await ask("stop", { name: "linux", save: true });
    await ask("start", { name: "linux" });
    assert.equal(await status(), "paused");
    await ask("resume", { name: "linux" });
    assert.match(await node.command("linux", "echo n=$n"), /^n=8$/m);
    // What it went on from is gone: after a crash it boots.
    await node.kill();
    await node.up();
    for (const deadline = performance.now() + 120_000; (await status()) !== "running"; )
      assert.ok(performance.now() < deadline, "it does not start again");
    assert.equal(node.processLog, "");
  } finally {
    await node.end();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a domain out of a file has other ports where those that it had are taken, and leaves nothing where it cannot come", {
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-save-"));
  const node = new TestNode(join(folder, "node"), await freePort());
  const ask = node.client.ask.bind(node.client);
  try {
    const [port, other] = [await freePort(), await freePort()];
    const web = { memory: 32 * MiB, publish: [{ port, guestPort: 80 }] };
    await node.up(nodeFile.parse({ node: { memory: 128 * MiB }, domains: { web } }));
    const file = join(folder, "web.atoll");
    await ask("save", { name: "web", file });
    await assert.rejects(ask("load", { file, name: "second" }), new RegExp(`port ${port} .* in use; .*--publish none`));
    assert.equal(await node.domain("second"), undefined);
    assert.deepEqual(readdirSync(join(folder, "node", "domains")), ["web"]);
    await ask("load", { file, name: "second", publish: [{ port: other, guestPort: 80 }] });
    await ask("load", { file, name: "third", publish: [] });
    const ports = await Promise.all(
      ["second", "third"].map(async (name) => (await node.domain(name))?.definition.publish.map((each) => each.port)),
    );
    assert.deepEqual(ports, [[other], []]);
  } finally {
    if (node.client.runs) await node.client.down(true, () => {});
    rmSync(folder, { recursive: true, force: true });
  }
});
