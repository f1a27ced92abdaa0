// Sockets between a Linux guest and Unix sockets of the host.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../support/atoll.ts";
import { EmbeddedGuest } from "../support/embedded-guest.ts";

const MIB = 2 ** 20;

/** What arrives up to the other side's end; this side stays open. */
function everything(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  return new Promise((resolve, reject) => {
    socket.on("end", () => resolve(Buffer.concat(pieces)));
    socket.on("error", reject);
  });
}

/** Connects to a port of the guest's; the host's end of the stream. */
async function connectToGuest(path: string, port: number): Promise<Socket> {
  const socket = createConnection({ path, allowHalfOpen: true });
  socket.write(`CONNECT ${port}\n`);
  let line = "";
  while (!line.endsWith("\n")) {
    await new Promise((resolve, reject) => {
      socket.once("readable", resolve);
      socket.once("close", () => reject(new Error(`closed after ${line}`)));
    });
    for (let byte = socket.read(1); byte !== null; byte = line.endsWith("\n") ? null : socket.read(1)) line += byte;
  }
  assert.match(line, /^OK \d+\n$/);
  return socket;
}

test("streams between a guest and Unix sockets", { timeout: 300_000 }, async () => {
  const base = mkdtempSync(join(tmpdir(), "atoll-"));
  const path = join(base, "v.sock");
  const server = createServer({ allowHalfOpen: true });
  let guest: EmbeddedGuest | undefined;
  try {
    const programs = join(ROOT, "test", "systems", "programs", "bin");
    guest = await EmbeddedGuest.boot("--share", `${programs}:p,readonly`, "--vsock", `path=${path},cid=42`);
    await guest.run("mkdir -p /p; mount -t 9p -o trans=virtio,version=9p2000.L p /p");

    // Nobody listens at that port.
    assert.match(await guest.run("/p/vsock connect 2 99"), /connect: failed/);

    // The guest connects, to what answers once it has heard everything.
    server.on("connection", (socket) => {
      everything(socket).then((all) => socket.end(`heard ${all.length} bytes\n`));
    });
    await new Promise<void>((resolve) => server.listen(`${path}_5000`, resolve));
    assert.match(await guest.run("head -c 3000000 /dev/zero | /p/vsock connect 2 5000", 120), /^heard 3000000 bytes$/m);
    const started = performance.now();
    await guest.run("/p/vsock supply 2 5000 32", 120);
    const toHost = 32 / ((performance.now() - started) / 1000);

    // The host connects to the guest.
    await guest.run("(echo from the guest; sleep 1) | /p/vsock listen 7000 >/tmp/heard & sleep 1");
    const talk = await connectToGuest(path, 7000);
    talk.end("from the host\n");
    assert.equal((await everything(talk)).toString(), "from the guest\n");
    assert.match(await guest.run("wait; cat /tmp/heard"), /listening\nfrom the host\n/);

    await guest.run("/p/vsock discard 7001 >/tmp/count & sleep 1");
    const many = await connectToGuest(path, 7001);
    const before = performance.now();
    many.end(Buffer.alloc(32 * MIB, 1));
    await everything(many);
    const toGuest = 32 / ((performance.now() - before) / 1000);
    assert.match(await guest.run("wait; cat /tmp/count"), new RegExp(`^${32 * MIB}$`, "m"));

    // Nobody listens there.
    const refused = createConnection({ path });
    refused.write("CONNECT 9999\n");
    assert.equal((await everything(refused)).length, 0);
    await guest.powerOff();
    console.log(`vsock: ${toHost.toFixed(0)} MiB/s to the host, ${toGuest.toFixed(0)} MiB/s to the guest`);
  } finally {
    guest?.process.kill();
    server.close();
    rmSync(base, { recursive: true });
  }
});
