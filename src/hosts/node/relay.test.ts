import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { Machine } from "./index.ts";
import { serveRelay } from "./relay.ts";

test("a machine's network through a relay reaches this computer; without the token there is none", async () => {
  const relay = await serveRelay({ host: "127.0.0.1", port: 0, token: "right-token" });
  const server = createServer((socket) => void socket.on("error", () => {}).end("from the host\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const url = `ws://127.0.0.1:${relay.port}/`;
  try {
    await assert.rejects(Machine.create({ net: { kind: "relay", url, token: "wrong-token" } }), { code: "load" });
    const machine = await Machine.create({ memory: "128M", net: { kind: "relay", url, token: "right-token" } });
    await machine.start();
    await machine.waitFor("~# ");
    await machine.type(`until route | grep -q default; do sleep 0.1; done; nc 10.0.2.2 ${port}\n`);
    await machine.waitFor("from the host\r\n");
    await machine.close();
  } finally {
    server.close();
    relay.close();
  }
});
