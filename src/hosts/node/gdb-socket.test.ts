import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Debugger } from "../../machine/gdb/debugger.ts";
import { BadInput } from "../../machine/runnable.ts";
import { GdbSocket } from "./gdb-socket.ts";

/** A debugger of no PEs. */
function target() {
  const calls: string[] = [];
  const machine = {
    sysregIds: [],
    registers: [],
    cpus: 0,
    stopped: false,
    onStop() {},
    hold() {
      calls.push("hold");
      this.stopped = true;
    },
    clear: () => void calls.push("clear"),
    resume: () => void calls.push("resume"),
  };
  return { machine: machine as unknown as Debugger, calls };
}

const events = { resumed() {}, monitor: () => "", kill() {} };
const sockets: Socket[] = [];
const servers: GdbSocket[] = [];
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await server.close(0);
});

/** Waits for what comes in its own time; the test's timeout is the limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

async function serve() {
  const { machine, calls } = target();
  const server = await GdbSocket.listen({ host: "127.0.0.1", port: 0 }, machine, events);
  servers.push(server);
  /** Connects, says `text`, and has been answered or turned away where it said something. */
  const client = async (text: string) => {
    const socket = connect(server.port, "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => {});
    const got = { text: "", closed: false };
    socket.on("data", (bytes) => {
      got.text += bytes;
    });
    socket.on("close", () => {
      got.closed = true;
    });
    await once(socket, "connect");
    socket.write(text);
    await until(() => text === "" || got.closed || /#..$/.test(got.text));
    return { socket, got };
  };
  return { server, calls, client };
}

test("a client stops the machine and is served; the next one is turned away, until the first has gone", {
  timeout: 20_000,
}, async () => {
  const { client, calls } = await serve();
  const first = await client("+$qAttached#8f");
  assert.equal(first.got.text, "+$1#31");
  assert.deepEqual(calls, ["hold"]);
  const second = await client("+$qAttached#8f");
  assert.deepEqual(second.got, { text: "", closed: true });
  first.socket.destroy();
  await until(() => calls.length > 1);
  assert.deepEqual(calls, ["hold", "clear"]);
  assert.equal((await client("$qAttached#8f")).got.text, "+$1#31");
});

test("what is no client, such as a web page, does not stop the machine, and one that is silent is in nobody's way", {
  timeout: 20_000,
}, async () => {
  const { client, calls } = await serve();
  const page = await client("POST / HTTP/1.1\r\n\r\n$k#6b");
  assert.deepEqual(page.got, { text: "", closed: true });
  await client("");
  assert.deepEqual(calls, []);
  assert.equal((await client("+$qAttached#8f")).got.text, "+$1#31");
});

test("the end of the machine is the end of the connection", { timeout: 20_000 }, async () => {
  const { server, client } = await serve();
  const { got } = await client("$QStartNoAckMode#b0");
  await server.close(4);
  await until(() => got.closed);
  assert.deepEqual(got, { text: "+$OK#9a$W04#bb", closed: true });
});

test("an address that is in use", async () => {
  const { server } = await serve();
  await assert.rejects(
    GdbSocket.listen({ host: "127.0.0.1", port: server.port }, target().machine, events),
    (error) => error instanceof BadInput && /in use/.test(error.message),
  );
});
