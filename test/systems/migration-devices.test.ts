// A Linux that moves with what reaches into its computer: a display, a vsock, serial ports, a capture, a shared folder.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeFile } from "../../src/contract/node.ts";
import { ROOT } from "../support/atoll.ts";
import { ENCODINGS, RfbClient } from "../support/rfb-client.ts";
import { freePort, TestNode } from "../support/two-nodes.ts";

const MiB = 2 ** 20;
/** The console's red. */
const RED = 0xaa0000;
const folder = mkdtempSync(join(tmpdir(), "atoll-migration-"));
const nodes: TestNode[] = [];

after(async () => {
  for (const node of nodes) await node.end();
  rmSync(folder, { recursive: true, force: true });
});

/** What a viewer sees of a domain's display, once it is mostly red. */
async function seesRed(node: TestNode): Promise<void> {
  const { display } = (await node.domain("linux")) ?? {};
  assert.ok(display, "its display is shown nowhere");
  const client = await RfbClient.connect(display.port, "open sea");
  client.setEncodings(ENCODINGS.zrle, ENCODINGS.extendedDesktopSize);
  client.request(false);
  while (client.pixels.filter((pixel) => pixel === RED).length < 500_000) {
    client.request(true);
    await client.update();
  }
  client.close();
}

/** What the guest answers a line with, through its serial port on a socket. */
function talk(path: string, text: string): Promise<string> {
  const socket = createConnection(path);
  socket.write(`${text}\n`);
  return new Promise((resolve, reject) => {
    let heard = "";
    socket.on("error", reject);
    socket.on("data", (bytes: Buffer) => {
      heard += bytes;
      if (!heard.includes("\n")) return;
      socket.destroy();
      resolve(heard.trim());
    });
  });
}

test("display, vsock, serial ports, capture and shared folder go along, and are the destination's", {
  timeout: 1_200_000,
}, async () => {
  const first = new TestNode(join(folder, "first"), await freePort());
  const second = new TestNode(join(folder, "second"), await freePort());
  nodes.push(first, second);
  const [here, there] = [join(folder, "here"), join(folder, "there")];
  mkdirSync(here);
  writeFileSync(join(here, "place"), "here\n");
  writeFileSync(join(here, "open"), "one\ntwo\nthree\n");
  cpSync(join(ROOT, "test/systems/programs/bin/vsock"), join(here, "vsock"));
  cpSync(here, there, { recursive: true });
  writeFileSync(join(there, "place"), "there\n");
  writeFileSync(join(folder, "password"), "open sea\n");
  const at = (name: string): string => join(folder, name);
  const linux = {
    ...{ memory: 192 * MiB, cpus: 1 },
    net: { kind: "user" as const, capture: at("net.pcap") },
    display: { vnc: { host: "127.0.0.1", port: 0 }, passwordFile: at("password") },
    vsock: { path: at("vsock"), cid: 42 },
    share: [{ folder: here, tag: "work", readOnly: false }],
    serialPort: [
      { name: "talk", kind: "socket" as const, path: at("talk") },
      { name: "log", kind: "file" as const, path: at("log") },
    ],
  };
  await first.up(nodeFile.parse({ node: { memory: 256 * MiB }, domains: { linux } }));
  first.shareTokenWith(second);
  await second.up(nodeFile.parse({ node: { memory: 256 * MiB }, domains: {} }));
  await first.shell("linux");
  await first.command(
    "linux",
    "mkdir /w; mount -t 9p -o trans=virtio,version=9p2000.L work /w; cp /w/vsock /tmp; exec 4</w/open; read a <&4; port() { basename $(dirname $(grep -lx $1 /sys/class/virtio-ports/*/name)); }; echo before >/dev/$(port log); (while :; do read line <&5 && echo heard $line >&5 || sleep 0.1; done) 5<>/dev/$(port talk) & printf '\\033[41m\\033[2J' >/dev/tty1",
  );

  assert.equal(await talk(at("talk"), "one"), "heard one");
  await seesRed(first);

  // Where a folder is that it shares has to be said.
  await assert.rejects(first.migrate("linux", second.port), /shares a folder as work: say where it is there/);
  const share = (place: string, tag = "work"): { share: { folder: string; tag: string }[] } => ({
    share: [{ folder: place, tag }],
  });
  await assert.rejects(first.migrate("linux", second.port, share(there, "other")), /shares no folder as other/);
  await assert.rejects(first.migrate("linux", second.port, share("there")), /give a whole path/);
  await assert.rejects(first.migrate("linux", second.port, share(at("nowhere"))), /stays here: .*nowhere/);
  assert.equal((await first.domain("linux"))?.status, "running");
  assert.equal(await second.domain("linux"), undefined);
  await assert.rejects(
    first.client.ask("save", { name: "linux", file: at("linux.atoll") }),
    /shared folders, which cannot be in a file/,
  );

  await first.migrate("linux", second.port, share(there));
  const own = (name: string): string => join(second.client.state.domain("linux").path, name);
  const shown = await second.command(
    "linux",
    "echo 3 >/proc/sys/vm/drop_caches; cat /w/place; echo written >/w/from-guest; sync; read a <&4; echo a=$a; echo after >/dev/$(port log); ping -c 1 10.0.2.2 | head -2",
  );
  assert.match(shown, /^there$/m);
  assert.match(shown, /^a=two$/m);
  assert.equal(readFileSync(join(there, "from-guest"), "utf8"), "written\n");
  assert.ok(!existsSync(join(here, "from-guest")));
  assert.equal(readFileSync(at("log"), "utf8"), "before\n");
  assert.equal(readFileSync(own("serial1"), "utf8"), "after\n");
  assert.ok(statSync(own("net0.pcap")).size > 100);
  assert.equal(await talk(own("serial0"), "two"), "heard two");
  await seesRed(second);
  const server = createServer((socket) => socket.end("by the new host\n"));
  await new Promise<void>((resolve) => server.listen(`${own("vsock")}_5000`, resolve));
  assert.match(await second.command("linux", "</dev/null /tmp/vsock connect 2 5000"), /^by the new host$/m);
  server.close();
  assert.ok(!existsSync(at("vsock")), "the first node still listens for it");

  // And back, to the place that it had.
  await second.migrate("linux", first.port, share(here));
  assert.match(
    await first.command("linux", "echo 3 >/proc/sys/vm/drop_caches; cat /w/place; read a <&4; echo a=$a"),
    /^here$[\s\S]*^a=three$/m,
  );
  await seesRed(first);
  for (const { processLog } of nodes) assert.equal(processLog, "");
});
