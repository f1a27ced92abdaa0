// Folders that the page's user chooses or drops: shared with the guest, and with it again when it is restored.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { missing, openPage, PROMPT, shows, siteAndBrowser, type } from "./browser.ts";

const web = siteAndBrowser();
const MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L folder /mnt";

/** The dialog of a browser's own is nothing that a test can use: it gives a folder of the browser's storage. */
const PICKER = `window.showDirectoryPicker = async () =>
  (await navigator.storage.getDirectory()).getDirectoryHandle("chosen", { create: true })`;

/** What the user says when the browser asks: without a screen nobody does. */
const answer = (page: Page, state: "granted" | "denied"): Promise<unknown> =>
  page.evaluate(`(() => {
    FileSystemHandle.prototype.queryPermission = async () => "prompt";
    FileSystemHandle.prototype.requestPermission = async () => "${state}";
  })()`);

/** Drops what is at a path of this computer onto the page, as from a window of files. */
async function dropPath(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  const drag = (type: "dragEnter" | "dragOver" | "drop"): Promise<unknown> =>
    session.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
  await drag("dragEnter");
  // The browser drops nothing before it knows that the page takes it.
  const isAwaited = (): Promise<boolean> => page.evaluate(`document.body.classList.contains("dropping")`);
  while (!(await isAwaited())) await drag("dragOver");
  await drag("dragOver");
  await page.evaluate("new Promise(requestAnimationFrame)");
  await drag("dragOver");
  await drag("drop");
}

test("a folder that is chosen is shared, and is there again after a reload where the user allows it", {
  skip: missing,
}, async () => {
  const { page, errors } = await openPage(web.browser, `${web.url}#none`);
  page.on("dialog", (dialog) => void dialog.accept());
  await page.evaluate(PICKER);
  await page.getByRole("button", { name: "New machine" }).click();
  await page.getByRole("button", { name: "Choose a folder" }).click();
  await page.getByText("chosen", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Boot" }).click();
  await shows(page, PROMPT);
  await type(page, `${MOUNT} && echo of the guest > /mnt/file; sync; cat /mnt/file\n`);
  await shows(page, "\nof the guest");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("is kept in this browser").waitFor();
  await page.goto(`${web.url}#none`);
  await page.reload();

  // The user does not allow it, and thinks again.
  await answer(page, "denied");
  await page.getByRole("button", { name: "Stored" }).click();
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByText("machine 1 shares the folder chosen with its guest, and this browser does not let").waitFor();
  assert.equal(await page.locator(".machine").count(), 0);
  await answer(page, "granted");
  await page.getByRole("button", { name: "Try again" }).click();
  await shows(page, PROMPT);
  await type(page, "clear; echo more >> /mnt/file; sync; cat /mnt/file\n");
  await shows(page, "of the guest\nmore");

  // The folder is gone, and another is chosen in its place.
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator(".machine").waitFor({ state: "detached" });
  await page.evaluate(
    `navigator.storage.getDirectory().then((root) => root.removeEntry("chosen", { recursive: true }))`,
  );
  await page.getByRole("button", { name: "Stored" }).click();
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByText("and it is not there any more").waitFor();
  await page.evaluate(PICKER);
  await page.getByRole("button", { name: "Choose a folder" }).click();
  await shows(page, PROMPT);
  await type(page, "clear; echo anew > /mnt/other; sync; cat /mnt/other; ls /mnt\n");
  await shows(page, "anew\nother");
  assert.deepEqual(errors, []);
  await page.close();
});

test("a folder of this computer that is dropped is shared; where it may not be written to, it is read only", {
  skip: missing,
}, async () => {
  const folder = join(mkdtempSync(join(tmpdir(), "atoll-dropped-")), "dropped");
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, "file"), "of this computer\n");
    const { page, errors } = await openPage(web.browser, `${web.url}#none`);
    await dropPath(page, folder);
    await answer(page, "denied");
    await page.getByRole("dialog").getByText("dropped", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Boot" }).click();
    await page.getByText("may read the folder dropped").waitFor();
    await shows(page, PROMPT);
    await type(page, `${MOUNT} && cat /mnt/file; echo no > /mnt/other\n`);
    await shows(page, "\nof this computer");
    await shows(page, "Read-only file system");
    assert.equal(readFileSync(join(folder, "file"), "utf8"), "of this computer\n");
    assert.deepEqual(errors, []);
    await page.close();
  } finally {
    rmSync(join(folder, ".."), { recursive: true });
  }
});
