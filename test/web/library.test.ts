// The library in a browser, from a page that has nothing else: with cross-origin isolation and without it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { buildLibrary } from "../../tools/build-web.ts";
import { serveSite, type WebServer } from "../../tools/web-server.ts";
import { checkVsock, talkOverVsock, type VsockFindings } from "../support/vsock-scenario.ts";
import { type Browser, missing, openBrowser, openPage } from "./browser.ts";

let browser: Browser;
const sites: { name: string; site: WebServer }[] = [];

before(async () => {
  if (missing) return;
  await buildLibrary();
  const root = join(import.meta.dirname, "..", "..");
  for (const isolated of [true, false]) {
    sites.push({ name: isolated ? "isolated" : "not isolated", site: await serveSite(root, 0, isolated) });
  }
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  for (const { site } of sites) site.close();
});

/** Does a function of in-page.js in a page. */
function inPage<T>(page: Page, name: string, ...args: readonly unknown[]): Promise<T> {
  const call = `import("/test/web/in-page.js").then((all) => all.${name}(...${JSON.stringify(args)}))`;
  return page.evaluate(call) as Promise<T>;
}

/** The same in both kinds of pages. */
function inBoth(name: string, work: (page: Page) => Promise<void>): void {
  for (const at of [0, 1]) {
    test(`${name} (${at === 0 ? "isolated" : "not isolated"})`, { skip: missing }, async () => {
      const { page, errors } = await openPage(browser, `${sites[at]?.site.url}test/web/empty.html`);
      assert.equal(await page.evaluate("crossOriginIsolated"), at === 0);
      await work(page);
      assert.deepEqual(errors, []);
      await page.close();
    });
  }
}

inBoth("a folder is shared by its directory handle, both ways", async (page) => {
  const kept = await inPage<{ read: string; later: string; found: Record<string, string> }>(page, "sharedFolder");
  assert.match(kept.read, /from the page\r\ndeep\r\n/);
  assert.match(kept.later, /later\n/);
  assert.deepEqual(Object.fromEntries(Object.entries(kept.found).sort()), {
    "answer.txt": "from the guest\n",
    "answer2.txt": "kept\n",
    large: "2500004 xxend\n",
    "last.txt": "last\n",
    "later.txt": "later\n",
    "other/": "",
    "other/two/": "",
    "other/two/empty/": "",
    "other/two/file": "moved\n",
  });
});

inBoth("a page talks with a guest over vsock, both ways, much and little", async (page) => {
  const work = `Promise.all([import("/dist/browser/atoll.js"), import("/test/web/in-page.js")])
    .then(async ([{ Machine }, { programs }]) => (${talkOverVsock})(Machine, await programs()))`;
  checkVsock((await page.evaluate(work)) as VsockFindings);
});
