// A real browser for the tests of the page: Debian's Chromium, without a screen.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { buildSite } from "../../tools/build-web.ts";
import { serveSite, type WebServer } from "../../tools/web-server.ts";

/** Milliseconds that anything may take on a computer that has much else to do. */
const PATIENCE = 180_000;
/** The embedded guest's. */
export const PROMPT = "~# ";

const CHROMIUM = "/usr/bin/chromium";

/** Why tests are skipped; false where there is a browser. */
export const missing: string | false = existsSync(CHROMIUM)
  ? false
  : `${CHROMIUM} is missing: install Debian's chromium`;

const ARGUMENTS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

export interface Browser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** With an empty profile of its own, which goes with it. */
export async function openBrowser(viewport = { width: 1200, height: 800 }, hasTouch = false): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "atoll-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    ...{ executablePath: CHROMIUM, headless: true, args: ARGUMENTS, viewport, hasTouch },
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The site's page is served, with cross-origin isolation and without it, and a browser is there, while the tests of a file run. */
export function siteAndBrowser(...how: Parameters<typeof openBrowser>): {
  readonly browser: Browser;
  readonly url: string;
  readonly plainUrl: string;
} {
  let browser: Browser | undefined;
  let sites: WebServer[] = [];
  before(async () => {
    if (missing) return;
    const folder = await buildSite();
    sites = await Promise.all([serveSite(folder, 0, true), serveSite(folder, 0, false)]);
    browser = await openBrowser(...how);
  });
  after(async () => {
    await browser?.close();
    for (const site of sites) site.close();
  });
  return {
    get browser() {
      return browser as Browser;
    },
    get url() {
      return sites[0]?.url ?? "";
    },
    get plainUrl() {
      return sites[1]?.url ?? "";
    },
  };
}

/** A page of the site, and what went wrong in it. */
export async function openPage({ context }: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}

const rows = (machine: number): string =>
  `document.querySelectorAll(".machine")[${machine}]?.querySelector(".xterm-rows")?.innerText ?? ""`;

/** What a machine's terminal shows. */
export function screenOf(page: Page, machine = 0): Promise<string> {
  return page.evaluate(rows(machine));
}

/** Waits until a machine's terminal shows something. */
export async function shows(page: Page, text: string, machine = 0): Promise<void> {
  try {
    await page.waitForFunction(
      `(${rows(machine)}).replaceAll("\\u00a0", " ").includes(${JSON.stringify(text)})`,
      undefined,
      { polling: 30 },
    );
  } catch {
    const said = await page.evaluate(`document.getElementById("messages").innerText`);
    throw new Error(
      `the terminal does not show ${JSON.stringify(text)} but:\n${await screenOf(page, machine)}\n${said}`,
    );
  }
}

/** Drops a file onto the page: so many bytes, which begin with a text of characters up to U+00FF. */
export async function drop(page: Page, name: string, text: string, bytes: number): Promise<void> {
  await page.evaluate(`(() => {
    const bytes = new Uint8Array(${bytes});
    bytes.set(Array.from(${JSON.stringify(text)}, (c) => c.charCodeAt(0)));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], ${JSON.stringify(name)}));
    dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
  })()`);
  await page.getByRole("dialog").waitFor();
}

/** Types into a machine's terminal. */
export async function type(page: Page, text: string, machine = 0): Promise<void> {
  await page.locator(".machine").nth(machine).locator("textarea.xterm-helper-textarea").focus();
  await page.keyboard.type(text);
}
