// The screen as its viewers see it: a guest that is typed to there, and what it draws.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../support/atoll.ts";
import { EmbeddedGuest } from "../support/embedded-guest.ts";
import { ENCODINGS, RfbClient } from "../support/rfb-client.ts";
import { missing, openBrowser, openPage } from "../web/browser.ts";

const PASSWORD = "open sea";
/** The console's red: the shell clears its screen with it. */
const RED = 0xaa0000;
const CLEAR = "printf '\\033[41m\\033[2J'";

let guest: EmbeddedGuest;
let port: number;

before(async () => {
  guest = await EmbeddedGuest.boot("--display", `vnc=:auto,password=${PASSWORD}`);
  port = Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(guest.process.stderr)?.[1]);
});
after(() => guest.process.kill());

/** Takes updates until the picture is as wanted. */
async function until(client: RfbClient, wanted: () => boolean): Promise<void> {
  while (!wanted()) {
    client.request(true);
    await client.update();
  }
}

test("a viewer sees the console, types a command to it, and sees what that does", { timeout: 60_000 }, async () => {
  const client = await RfbClient.connect(port, PASSWORD);
  client.setEncodings(ENCODINGS.zrle, ENCODINGS.extendedDesktopSize);
  client.request(false);
  await until(client, () => client.width === 1280 && client.pixels.some((pixel) => pixel !== 0));
  await client.type("echo $((6*7)) from `tty` >/dev/ttyAMA0");
  await guest.process.waitFor("42 from /dev/tty1", 30);
  await client.type(CLEAR);
  await until(client, () => client.pixels.filter((pixel) => pixel === RED).length > 1_000_000);
  client.close();
});

test("a viewer's window is as large as the guest's monitor", { timeout: 60_000 }, async () => {
  const client = await RfbClient.connect(port, PASSWORD);
  client.setEncodings(ENCODINGS.zrle, ENCODINGS.extendedDesktopSize);
  const [width, height] = [1000, 700];
  client.send(251, 0, width >> 8, width & 255, height >> 8, height & 255, 1, 0);
  client.send(0, 0, 0, 0, 0, 0, 0, 0, width >> 8, width & 255, height >> 8, height & 255, 0, 0, 0, 0);
  await until(client, () => client.seen.some(({ x, y }) => x === 1 && y === 4));
  client.close();
  const modes = await guest.run("sleep 1; head -1 /sys/class/drm/card0-Virtual-1/modes");
  assert.match(modes, /^1000x700$/m);
});

test("without the password there is nothing to see", { timeout: 30_000 }, async () => {
  await assert.rejects(RfbClient.connect(port, "wrong"), /wrong password/);
});

/** noVNC as the package has it, and a page with nothing else. */
async function serveNoVnc(): Promise<Server> {
  const folder = join(ROOT, "node_modules", "@novnc", "novnc");
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://host").pathname);
    if (path === "/") {
      response.setHeader("content-type", "text/html");
      response.end(
        '<!doctype html><link rel="icon" href="data:,"><div id="screen" style="width:1300px;height:820px"></div>',
      );
      return;
    }
    response.setHeader("content-type", "text/javascript");
    createReadStream(join(folder, path))
      .on("error", () => response.writeHead(404).end())
      .pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

test("noVNC in a browser shows the screen and types to it", { skip: missing, timeout: 90_000 }, async () => {
  const server = await serveNoVnc();
  const browser = await openBrowser({ width: 1320, height: 840 });
  try {
    const { page, errors } = await openPage(browser, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.evaluate(`new Promise((resolve, reject) => import("/core/rfb.js").then(({ default: RFB }) => {
      const rfb = new RFB(document.getElementById("screen"), "ws://127.0.0.1:${port}", { credentials: { password: "${PASSWORD}" } });
      rfb.addEventListener("connect", resolve);
      rfb.addEventListener("securityfailure", (event) => reject(new Error(event.detail.reason)));
      rfb.addEventListener("disconnect", () => reject(new Error("disconnected")));
      globalThis.rfb = rfb;
    }))`);
    /** A pixel near the lower right corner. */
    const pixel = `(() => {
      const canvas = document.querySelector("canvas");
      if (canvas.width < 900) return "";
      return [...canvas.getContext("2d").getImageData(canvas.width - 40, canvas.height - 30, 1, 1).data].slice(0, 3).join();
    })()`;
    await page.evaluate("rfb.focus()");
    await page.keyboard.type("printf '\\033[42m\\033[2", { delay: 20 });
    await page.keyboard.press("Shift+J");
    await page.keyboard.type("'\n", { delay: 20 });
    await page.waitForFunction(`${pixel} === "0,170,0"`, undefined, { timeout: 40_000, polling: 100 });
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
});
