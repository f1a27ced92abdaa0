// Networks of machines in a page: among themselves, and through a relay on this computer; and disks that come over the network.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { HAS_NETWORK, NO_DHCP } from "../support/in-guest.ts";
import { listening } from "../support/listening.ts";
import { missing, openPage, PROMPT, shows, siteAndBrowser, type } from "./browser.ts";

const web = siteAndBrowser();

/** `atoll relay`, its address and its token. */
async function startRelay(): Promise<{ relay: ChildProcess; url: string; token: string }> {
  const main = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");
  const relay = spawn(process.execPath, [main, "relay", "--listen", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  for await (const text of relay.stderr) {
    said += text;
    const [, url, token] = /at (ws:\S+) and its token is (\S+)/.exec(said) ?? [];
    if (url && token) return { relay, url, token };
  }
  throw new Error(`the relay says ${said}`);
}

test("a guest fetches from a server of this computer's, through atoll relay", { skip: missing }, async () => {
  const server = createServer((_request, response) => response.end("served to a page\n"));
  const port = await listening(server);
  const { relay, url, token } = await startRelay();
  try {
    const { page, errors } = await openPage(web.browser, `${web.url}#none`);
    await page.getByRole("button", { name: "New machine" }).click();
    await page.getByLabel("Network").selectOption("relay");
    await page.getByLabel("Relay's address").fill(url);
    await page.getByLabel("Relay's token").fill(token);
    await page.getByRole("button", { name: "Boot" }).click();
    await shows(page, PROMPT);
    await type(page, `${HAS_NETWORK}; wget -qO- http://10.0.2.2:${port}/\n`);
    await shows(page, "\nserved to a page");
    assert.deepEqual(errors, []);
    // One without the token is refused, in words.
    await page.evaluate(`location.hash = "none"`);
    await page.getByRole("button", { name: "New machine" }).click();
    await page.getByLabel("Network").selectOption("relay");
    await page.getByLabel("Relay's address").fill(url);
    await page.getByRole("button", { name: "Boot" }).click();
    await page.getByText("cannot reach the relay").waitFor();
    await page.close();
  } finally {
    relay.kill();
    server.close();
  }
});

test("machines side by side in one page talk to each other", { skip: missing }, async () => {
  const { page, errors } = await openPage(web.browser, `${web.url}#memory=128M&switch=page`);
  await shows(page, PROMPT);
  await page.getByRole("button", { name: "New machine" }).click();
  await page.getByLabel("Network").selectOption("switch");
  await page.getByLabel("Memory").selectOption("128M");
  await page.getByRole("button", { name: "Boot" }).click();
  await shows(page, PROMPT, 1);
  for (const machine of [0, 1]) {
    await type(
      page,
      `${NO_DHCP}; ip addr add 10.9.8.${machine + 1}/24 dev eth0; ip link set eth0 up; echo address $?\n`,
      machine,
    );
    await shows(page, "\naddress 0", machine);
  }
  await type(page, "echo from the first | nc -l -p 7777\n", 0);
  await type(page, "until nc 10.9.8.1 7777 < /dev/null; do sleep 1; done\n", 1);
  await shows(page, "\nfrom the first", 1);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a link boots a disk of another site's, of which only what is read is loaded", { skip: missing }, async () => {
  const size = 256 * 2 ** 20;
  const place = 200 * 2 ** 20;
  let sent = 0;
  const server = createServer((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "range");
    response.setHeader("Access-Control-Expose-Headers", "Content-Range");
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined || last === undefined) {
      response.writeHead(request.method === "OPTIONS" ? 204 : 400).end();
      return;
    }
    const bytes = Buffer.alloc(Number(last) - Number(first) + 1);
    if (Number(first) <= place && place < Number(last)) bytes.write("far inside", place - Number(first));
    sent += bytes.length;
    response.writeHead(206, { "Content-Range": `bytes ${first}-${last}/${size}` }).end(bytes);
  });
  const port = await listening(server);
  try {
    const disk = encodeURIComponent(`http://localhost:${port}/disk.img`);
    const { page, errors } = await openPage(web.browser, `${web.url}#memory=128M&disk=${disk}`);
    await shows(page, PROMPT);
    await type(page, `dd if=/dev/vda bs=1M skip=200 count=1 2>/dev/null | head -c 10; echo\n`);
    await shows(page, "\nfar inside");
    await type(page, `echo written > /dev/vda; sync; head -n1 /dev/vda\n`);
    await shows(page, "\nwritten");
    assert.ok(sent < 16 * 2 ** 20, `${sent} bytes were loaded`);
    // What is shared is this very link.
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Share" }).click();
    await page.getByText("The link is copied").waitFor();
    const link = new URL(await page.evaluate<string>("navigator.clipboard.readText()"));
    assert.equal(new URLSearchParams(link.hash.slice(1)).get("disk"), `http://localhost:${port}/disk.img`);
    assert.deepEqual(errors, []);
    await page.close();
  } finally {
    server.close();
  }
});
