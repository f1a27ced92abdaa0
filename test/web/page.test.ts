import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { buildSite } from "../../tools/build-web.ts";
import { serveSite, type WebServer } from "../../tools/web-server.ts";
import { type Browser, missing, openBrowser, openPage, shows, type } from "./browser.ts";

const PROMPT = "~# ";

let browser: Browser;
let site: WebServer;
let plain: WebServer;

before(async () => {
  if (missing) return;
  const folder = await buildSite();
  [site, plain, browser] = await Promise.all([serveSite(folder, 0, true), serveSite(folder, 0, false), openBrowser()]);
});

after(async () => {
  await browser?.close();
  site?.close();
  plain?.close();
});

test("the page boots the embedded guest, which reads what is typed and writes what it does", {
  skip: missing,
}, async () => {
  const { page, errors } = await openPage(browser, site.url);
  assert.equal(await page.evaluate("crossOriginIsolated"), true);
  await shows(page, PROMPT);
  await type(page, "echo $((6 * 7)) from $(uname -m)\n");
  await shows(page, "42 from aarch64");
  assert.deepEqual(errors, []);
  await page.close();
});

test("it does so without cross-origin isolation", { skip: missing }, async () => {
  const { page, errors } = await openPage(browser, plain.url);
  assert.equal(await page.evaluate("crossOriginIsolated"), false);
  await shows(page, PROMPT);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a disk that is dropped is one of the machine's", { skip: missing }, async () => {
  const { page } = await openPage(browser, `${site.url}#cpus=none`);
  await page.evaluate(`(() => {
    const bytes = new Uint8Array(1 << 20);
    bytes.set(new TextEncoder().encode("dropped into a page"));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "some.img"));
    dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
  })()`);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Boot" }).click();
  await shows(page, PROMPT, 1);
  await type(page, "head -c 19 /dev/vda; echo\n", 1);
  await shows(page, "dropped into a page", 1);
  await page.close();
});

test("what cannot be booted is said, and the page goes on", { skip: missing }, async () => {
  const { page } = await openPage(browser, `${site.url}#kernel=nowhere`);
  await page.getByText("could not start: cannot load").waitFor();
  await page.close();
});
