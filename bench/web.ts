// The library in Debian's Chromium beside the same in this Node, and what a page loads: `node bench/web.ts [RUNS]`. Prints a table.

import { readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { Machine } from "../src/hosts/node/index.ts";
import { missing, openBrowser, openPage, shows, type } from "../test/web/browser.ts";
import { buildSite } from "../tools/build-web.ts";
import { serveSite } from "../tools/web-server.ts";

const root = join(import.meta.dirname, "..");
const INITRD = ".cache/bench/initramfs.cpio.gz";
/** Of the row `integer`: lists, matrices, a state machine, CRC, as CoreMark has. */
const SCALE = 0.5;
const PROMPT = "~# ";
const KEYS = 60;

if (missing) throw new Error(missing);
const niceness = getPriority();
if (niceness !== 0)
  console.log(`This Node has niceness ${niceness}, Chromium gives itself 0 where it may: nothing to compare them by.`);
const runs = Number(process.argv[2] ?? 3);

/** Runs in Node and in the page alike, so it names nothing outside of it. Gives what the row says of itself. */
async function integerRow(machines: typeof Machine, kernel: string, initrd: string, scale: number): Promise<string> {
  const append = `console=ttyAMA0 quiet atoll.bench=integer atoll.scale=${scale}`;
  const machine = await machines.create({ kernel, initrd, append, net: { kind: "none" } });
  await machine.start();
  const [line] = (await machine.waitFor(/BENCH integer[^\n]*\n/, 300_000)).split("\n").slice(-2);
  await machine.close();
  return line ?? "";
}

/** Milliseconds from a key to its echo, while a loop keeps the guest's only processor busy. */
async function echoes(machines: typeof Machine, keys: number): Promise<number[]> {
  const machine = await machines.create({ memory: "128M", net: { kind: "none" } });
  await machine.start();
  await machine.waitFor("~# ");
  await machine.type("while :; do :; done &\n");
  await machine.waitFor("~# ");
  await new Promise((resolve) => setTimeout(resolve, 500));
  const found: number[] = [];
  for (let i = 0; i < keys; i++) {
    const key = "abcdefghij"[i % 10] as string;
    const started = performance.now();
    await machine.type(key);
    await machine.waitFor(key);
    found.push(performance.now() - started);
  }
  await machine.close();
  return found;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const rate = (line: string): number => Number(/[\d.]+(?:e[+-]?\d+)?/.exec(line.replace(/^.*BENCH integer/, ""))?.[0]);

const site = await serveSite(await buildSite(), 0, true);
/** The repository, to pages with cross-origin isolation and without. */
const repositories = [
  ["isolated", await serveSite(root, 0, true)],
  ["not isolated", await serveSite(root, 0, false)],
] as const;
const browser = await openBrowser();
try {
  const timed = async (action: () => Promise<void>): Promise<number> => {
    const started = performance.now();
    await action();
    return (performance.now() - started) / 1000;
  };
  const boots: number[] = [];
  const starts: number[] = [];
  const restores: number[] = [];
  const toPrompt = async (page: Page, url: string): Promise<number> =>
    timed(async () => {
      await page.goto(url);
      await shows(page, PROMPT);
    });
  for (let run = 0; run < runs; run++) {
    const booting = await openPage(browser, "about:blank");
    boots.push(await toPrompt(booting.page, `${site.url}#boot=1`));
    await booting.page.close();
    const { page } = await openPage(browser, "about:blank");
    page.on("dialog", (dialog) => void dialog.accept());
    starts.push(await toPrompt(page, site.url));
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("is kept in this browser").waitFor({ timeout: 120_000 });
    await page.close();
    const again = await openPage(browser, "about:blank");
    restores.push(
      await timed(async () => {
        await again.page.goto(`${site.url}#snapshot=machine 1`);
        await shows(again.page, PROMPT);
        await type(again.page, "echo back\n");
        await shows(again.page, "\nback");
      }),
    );
    await again.page.close();
  }

  const row = (name: string, value: string): void => console.log(`${name.padEnd(46)} ${value}`);
  row("page to prompt, booting", `${median(boots).toFixed(2)} s`);
  row("page to prompt, from the package's snapshot", `${median(starts).toFixed(2)} s`);
  row("page to prompt, from a snapshot of one's own", `${median(restores).toFixed(2)} s`);

  const pages: { name: string; page: Page; rates: number[] }[] = [];
  for (const [name, { url }] of repositories) {
    const { page } = await openPage(browser, `${url}test/web/empty.html`);
    pages.push({ name, page, rates: [] });
  }
  // As text: what this file is made of when it runs is no business of the page's.
  const inPage = async <T>(
    page: Page,
    work: (machines: typeof Machine, ...args: never[]) => Promise<T>,
    ...args: readonly unknown[]
  ): Promise<T> => {
    // What is behind another page gets less of the computer.
    await page.bringToFront();
    return page.evaluate(
      `import("/dist/browser/atoll.js").then(({ Machine }) => (${work})(Machine, ...${JSON.stringify(args)}))`,
    ) as Promise<T>;
  };
  row("echo while busy, Node", `${median(await echoes(Machine, KEYS)).toFixed(1)} ms`);
  for (const { name, page } of pages) {
    row(`echo while busy, ${name}`, `${median(await inPage(page, echoes, KEYS)).toFixed(1)} ms`);
  }
  const kernel = "guests/embedded/Image.gz";
  const node: number[] = [];
  for (let run = 0; run < runs; run++) {
    node.push(rate(await integerRow(Machine, join(root, kernel), join(root, INITRD), SCALE)));
    for (const { page, rates } of pages) {
      rates.push(rate(await inPage(page, integerRow, `/${kernel}`, `/${INITRD}`, SCALE)));
    }
  }
  row("integer row, Node", `${median(node)}`);
  for (const { name, rates } of pages) {
    const share = ((100 * median(rates)) / median(node)).toFixed(0);
    row(`integer row, Chromium, ${name}`, `${median(rates)} (${share} % of Node)`);
  }

  const packed = (file: string): number => gzipSync(readFileSync(join(root, file)), { level: 9 }).length;
  const core = [
    "dist/browser/atoll.js",
    "dist/browser/worker.js",
    "build/native.wasm",
    "build/interpreter.wasm",
    "build/interpreter.json",
  ];
  row("core, compressed", `${core.reduce((sum, file) => sum + packed(file), 0)} bytes`);
} finally {
  await browser.close();
  site.close();
  for (const [, repository] of repositories) repository.close();
}
