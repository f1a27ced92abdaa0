// The page on a phone, with fingers; and without any pointer, with a keyboard.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { missing, openPage, PROMPT, shows, siteAndBrowser, type } from "./browser.ts";

const web = siteAndBrowser({ width: 390, height: 844 }, true);

const wide = (page: Page): Promise<number> => page.evaluate("document.documentElement.scrollWidth");

test("everything is reached and done with a keyboard alone, and has a name", { skip: missing }, async () => {
  const { page, errors } = await openPage(web.browser, `${web.url}#memory=128M`);
  await shows(page, PROMPT);
  const focused = (): Promise<string> =>
    page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()");
  // The terminal has the focus. Tab is the guest's there; with Shift it goes back.
  assert.match(await focused(), /^Console of/);
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(), "Close");
  const back: string[] = [];
  for (let i = 0; i < 11; i++) {
    await page.keyboard.press("Shift+Tab");
    back.push(await focused());
  }
  assert.deepEqual(back, [
    ...["Share", "Look inside", "Fork", "Save", "Power", "Reset", "Pause"],
    ...["Light or dark", "Stored", "New machine", "Skip to the machines"],
  ]);
  // Looks inside, and from one tab to the next with the arrows.
  await page.getByRole("button", { name: "Look inside" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "Registers" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), "Translation");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Translation");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Virtual address");
  await page.getByText("Physical address").waitFor();
  // Each tab shows what it is for.
  await page.getByRole("tab", { name: "Translation" }).focus();
  for (const [tab, shown] of [
    ["Exceptions", /EL0 → EL1/],
    ["Interrupts", /virtual timer/],
    ["Hot code", /^EL[01]$/],
    ["Counters", /^instructions$/],
    ["Registers", /^TTBR0_EL1$/],
  ] as const) {
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), tab);
    if (tab === "Exceptions") {
      await type(page, "ls\n");
      await page.getByRole("tab", { name: tab }).focus();
    }
    await page.getByRole("tabpanel").getByText(shown).first().waitFor();
  }
  // A dialog keeps the focus, and Escape closes it.
  await page.getByRole("button", { name: "New machine" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  assert.equal(await page.evaluate("document.activeElement.closest('dialog') !== null"), true);
  const nameless =
    await page.evaluate(`[...document.querySelectorAll("button, input, select, canvas, textarea, [role=tab], [role=tabpanel]")]
    .filter((each) => each.checkVisibility())
    .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim() || each.labels?.[0]?.textContent.trim()))
    .map((each) => each.outerHTML)`);
  assert.deepEqual(nameless, []);
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "New machine");
  // Light and dark.
  const dark = (): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
  const before = await dark();
  await page.getByRole("button", { name: "Light or dark" }).focus();
  await page.keyboard.press("Enter");
  assert.notEqual(await dark(), before);
  assert.deepEqual(errors, []);
  await page.close();
});

test("fingers press what the display shows and the keys that phones lack; nothing is wider than the phone", {
  skip: missing,
}, async () => {
  const { page, errors } = await openPage(web.browser, `${web.url}#display=1&memory=128M`);
  await shows(page, PROMPT);
  // The tablet's events: type, code, value.
  await type(page, 'hexdump -e \'16/1 "%d" 2/2 " %d" 1/4 " %d\\n"\' /dev/input/event1 & sleep 1; echo listening\n');
  await shows(page, "\nlistening");
  const box = await page.getByRole("application").boundingBox();
  assert.ok(box && box.width <= 390);
  await page.touchscreen.tap(box.x + box.width / 4, box.y + box.height / 2);
  // EV_KEY, BTN_LEFT or BTN_TOUCH, pressed and let go.
  await page.waitForFunction(
    // The phone's lines are shorter than hexdump's.
    `/ 1 (272|330) 1[^]* 1 (272|330) 0/.test(
      document.querySelector(".xterm-rows").innerText.replaceAll("\\u00a0", " ").replaceAll("\\n", ""))`,
    undefined,
    { timeout: 120_000 },
  );
  await type(page, "kill %1; clear; sleep 1000\n");
  await page.getByRole("button", { name: "^C" }).tap();
  await type(page, "echo interrupted\n");
  await shows(page, "\ninterrupted");
  for (const open of ["", "Look inside", "New machine"]) {
    if (open) await page.getByRole("button", { name: open }).tap();
    assert.equal(await wide(page), 390, open);
  }
  assert.deepEqual(errors, []);
  await page.close();
});
