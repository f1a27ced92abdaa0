import assert from "node:assert/strict";
import { test } from "node:test";
import { drop, missing, openPage, PROMPT, shows, siteAndBrowser, type } from "./browser.ts";

const web = siteAndBrowser();

test("the page boots the embedded guest, which reads what is typed and writes what it does", {
  skip: missing,
}, async () => {
  const { page, errors } = await openPage(web.browser, web.url);
  assert.equal(await page.evaluate("crossOriginIsolated"), true);
  await shows(page, PROMPT);
  await type(page, "echo $((6 * 7)) from $(uname -m)\n");
  await shows(page, "42 from aarch64");
  assert.deepEqual(errors, []);
  await page.close();
});

test("it does so without cross-origin isolation", { skip: missing }, async () => {
  const { page, errors } = await openPage(web.browser, web.plainUrl);
  assert.equal(await page.evaluate("crossOriginIsolated"), false);
  await shows(page, PROMPT);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a snapshot that is kept in the browser is there after a reload, and goes on", { skip: missing }, async () => {
  const { page, errors } = await openPage(web.browser, `${web.url}#memory=128M`);
  page.on("dialog", (dialog) => void dialog.accept());
  await shows(page, PROMPT);
  await type(page, "kept=42\n");
  await shows(page, `kept=42\n`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("is kept in this browser").waitFor();
  await page.goto(`${web.url}#none`);
  await page.reload();
  await page.getByRole("button", { name: "Stored" }).click();
  await page.getByRole("button", { name: "Restore" }).click();
  await shows(page, PROMPT);
  await type(page, "echo kept $kept\n");
  await shows(page, "kept 42");
  assert.deepEqual(errors, []);
  await page.close();
});

test("the display shows what the guest draws, and takes keys", { skip: missing }, async () => {
  const { page } = await openPage(web.browser, `${web.url}#display=1`);
  await shows(page, PROMPT);
  const canvas = page.getByRole("application");
  await canvas.waitFor();
  const lit = `(() => {
    const canvas = document.querySelector(".display canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.reduce((sum, value, i) => sum + (i % 4 < 3 && value > 64 ? 1 : 0), 0);
  })()`;
  await page.waitForFunction(`${lit} > 100`, undefined, { polling: 500 });
  await type(page, 'hexdump -e \'16/1 "%d " 2/2 " %d" 1/4 " %d\\n"\' /dev/input/event0 & sleep 1; echo listening\n');
  await shows(page, "\nlistening");
  await canvas.focus();
  await page.keyboard.press("a");
  // EV_KEY, KEY_A, pressed.
  await shows(page, "1 30 1");
  await page.close();
});

test("a disk that is dropped is one of the machine's", { skip: missing }, async () => {
  const { page } = await openPage(web.browser, `${web.url}#none`);
  await drop(page, "some.img", "dropped into a page", 1 << 20);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Boot" }).click();
  await shows(page, PROMPT);
  await type(page, "head -c 19 /dev/vda; echo\n");
  await shows(page, "dropped into a page");
  await page.close();
});

test("a disk that is chosen is one of the machine's", { skip: missing }, async () => {
  const { page } = await openPage(web.browser, `${web.url}#none`);
  await page.getByRole("button", { name: "New machine" }).click();
  const chooser = page.waitForEvent("filechooser");
  await page.getByLabel("Disk, a file", { exact: true }).click();
  await (await chooser).setFiles({
    name: "some.img",
    mimeType: "",
    buffer: Buffer.alloc(1 << 20, "chosen in a page "),
  });
  await page.getByRole("button", { name: "Boot" }).click();
  await shows(page, PROMPT);
  await type(page, "head -c 16 /dev/vda; echo\n");
  await shows(page, "\nchosen in a page");
  await page.close();
});

test("what cannot be booted is said, and the page goes on", { skip: missing }, async () => {
  const { page } = await openPage(web.browser, `${web.url}#kernel=nowhere`);
  await page.getByText("could not start: cannot load").waitFor();
  assert.equal(await page.getByRole("button", { name: "Save" }).isDisabled(), true);
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator(".machine").waitFor({ state: "detached" });
  await page.close();
});
