// Serial ports and the memory balloon with a Linux guest.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EmbeddedGuest } from "../support/embedded-guest.ts";

test("serial ports on a socket and a file; a balloon", { timeout: 300_000 }, async () => {
  const base = mkdtempSync(join(tmpdir(), "atoll-"));
  let guest: EmbeddedGuest | undefined;
  try {
    const [socketPath, filePath] = [join(base, "port"), join(base, "log")];
    const ports = ["--serial-port", `name=talk,socket=${socketPath}`, "--serial-port", `name=log,file=${filePath}`];
    guest = await EmbeddedGuest.boot(...ports, "--balloon");
    assert.match(await guest.run("cat /sys/class/virtio-ports/*/name"), /^talk\nlog\n/);
    const find = "port() { basename $(dirname $(grep -lx $1 /sys/class/virtio-ports/*/name)); }";
    await guest.run(`${find}; echo kept >/dev/$(port log)`);
    assert.equal(readFileSync(filePath, "utf8"), "kept\n");

    await guest.run("(read line <&5; echo heard $line >&5) 5<>/dev/$(port talk) & true");
    const socket = createConnection(socketPath);
    let heard = "";
    const answered = new Promise<void>((resolve) => {
      socket.on("data", (bytes: Buffer) => {
        heard += bytes;
        if (heard.includes("\n")) resolve();
      });
    });
    socket.write("a line\n");
    await answered;
    assert.equal(heard, "heard a line\n");
    socket.destroy();

    assert.match(await guest.run("ls /sys/bus/virtio/drivers/virtio_balloon"), /virtio\d/);
    await guest.powerOff();
  } finally {
    guest?.process.kill();
    rmSync(base, { recursive: true });
  }
});
