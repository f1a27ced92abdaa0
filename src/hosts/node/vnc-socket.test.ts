// The port as clients of all kinds find it.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PNG } from "pngjs";
import { WebSocket } from "ws";
import { RfbClient } from "../../../test/support/rfb-client.ts";
import { Display, Surface } from "../../bus/display.ts";
import type { InputPort } from "../../bus/input.ts";
import { screendump, serveDisplay } from "./display-server.ts";

const input: InputPort = {
  ...{ key: () => {}, pointer: () => {}, wheel: () => {}, onLeds: () => () => {} },
  leds: { numLock: false, capsLock: false, scrollLock: false },
};
const AT = { host: "127.0.0.1", port: 0 };

async function serve(t: { after(close: () => void): void }, password?: string): Promise<number> {
  const server = await serveDisplay({ vnc: AT, password }, { display: new Display(), input }, () => {});
  t.after(() => server?.close());
  return Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(server?.description ?? "")?.[1]);
}

/** The server's first words, or why there are none. */
function overWebSocket(port: number, origin?: string): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, ["binary"], origin === undefined ? {} : { origin });
  return new Promise((resolve) => {
    socket.on("message", (data) => {
      resolve(data.toString());
      socket.terminate();
    });
    socket.on("error", (error) => resolve(error.message));
  });
}

test("RFB is spoken on the socket and in WebSockets", async (t) => {
  const port = await serve(t);
  const client = await RfbClient.connect(port);
  assert.deepEqual([client.width, client.height, client.name], [640, 480, "Atoll"]);
  client.close();
  assert.equal(await overWebSocket(port), "RFB 003.008\n");
});

test("without a password, only pages of this computer may connect", async (t) => {
  const open = await serve(t);
  assert.equal(await overWebSocket(open, "http://localhost:8000"), "RFB 003.008\n");
  assert.equal(await overWebSocket(open, "https://[::1]"), "RFB 003.008\n");
  for (const origin of ["https://example.org", "http://localhost.example.org", "null", "http://127.0.0.1.nip.io:80"]) {
    assert.match(await overWebSocket(open, origin), /403/, origin);
  }
  const locked = await serve(t, "secret");
  assert.equal(await overWebSocket(locked, "https://example.org"), "RFB 003.008\n");
});

test("what is neither RFB nor a WebSocket is told so, or cut off", async (t) => {
  const port = await serve(t);
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(response.status, 426);
  assert.match(await response.text(), /VNC/);
  const post = connect(port, "127.0.0.1");
  post.write("POST / HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => post.on("close", resolve).resume());
});

test("the password may be a file's first line, and has to be one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-vnc-"));
  const machine = { display: new Display(), input };
  try {
    const file = join(folder, "secret");
    writeFileSync(file, "secret\nmore\n");
    const server = await serveDisplay({ vnc: AT, passwordFile: file }, machine, () => {});
    assert.match(server?.description ?? "", /with the password/);
    server?.close();
    writeFileSync(file, "\n");
    await assert.rejects(
      serveDisplay({ vnc: AT, passwordFile: file }, machine, () => {}),
      /first line/,
    );
    const absent = join(folder, "absent");
    await assert.rejects(
      serveDisplay({ vnc: AT, passwordFile: absent }, machine, () => {}),
      /no such file/,
    );
    await assert.rejects(
      serveDisplay({ vnc: { host: "0.0.0.0", port: 0 } }, machine, () => {}),
      /own the guest/,
    );
    const taken = await serveDisplay({ vnc: AT }, machine, () => {});
    const port = Number(/:(\d+) for/.exec(taken?.description ?? "")?.[1]);
    await assert.rejects(
      serveDisplay({ vnc: { ...AT, port } }, machine, () => {}),
      /it is in use/,
    );
    taken?.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("screendump writes what is shown", () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-png-"));
  const display = new Display();
  const file = join(folder, "a.png");
  try {
    assert.throws(() => screendump({ display: undefined }, file), /give --display/);
    assert.throws(() => screendump({ display }, file), /nothing yet/);
    const surface = new Surface(2, 1);
    surface.pixels.set([0xff33_2211, 0xffff_ffff]);
    const source = {
      surface,
      cursor: undefined,
      blank: false,
      polled: true,
      refresh: () => {},
      requestSize: () => false,
    };
    display.addSource(source);
    display.changed();
    screendump({ display }, file);
    const { width, height, data } = PNG.sync.read(readFileSync(file));
    assert.deepEqual([width, height, ...data], [2, 1, 0x11, 0x22, 0x33, 255, 255, 255, 255, 255]);
    assert.throws(() => screendump({ display }, join(folder, "no", "a.png")), /cannot write/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
