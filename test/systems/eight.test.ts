// Eight Linux guests from one file, each with its own console, network and disk: what one suffers is nothing to the others.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { WebSocket } from "ws";
import { DOMAIN_CONSOLE_PATH } from "../../src/contract/domains.ts";
import { NodeClient } from "../../src/server/domains/client.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { atoll, ROOT } from "../support/atoll.ts";
import { HAS_NETWORK } from "../support/in-guest.ts";
import { listening } from "../support/listening.ts";
import { nodeOfTest } from "../support/node-of-test.ts";

const MAIN = join(ROOT, "src", "cli", "main.ts");
const NAMES = Array.from({ length: 8 }, (_, i) => `guest-${i}`);
const PROMPT = "~# ";

const folder = nodeOfTest();
const node = new NodeClient(new StateDirectory(process.env.ATOLL_HOME as string), [process.execPath, MAIN]);

class Console {
  shown = "";
  #closed = false;
  readonly #socket: WebSocket;

  constructor(name: string) {
    this.#socket = new WebSocket(`ws+unix:${node.socket}:${DOMAIN_CONSOLE_PATH.replace("{name}", name)}`);
    this.#socket.on("message", (data) => {
      this.shown += (data as Buffer).toString("latin1");
    });
    this.#socket.on("error", () => {});
  }

  type(text: string): void {
    this.#socket.send(Buffer.from(text, "latin1"));
  }

  async waitFor(text: string, seconds: number, from = 0): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (!this.shown.slice(from).includes(text)) {
      assert.ok(performance.now() < deadline, `${text} did not come: ${this.shown.slice(-2000)}`);
      assert.ok(!this.#closed, `${text} is not waited for any more`);
      await setTimeout(50);
    }
  }

  /** What a command prints. */
  async ask(command: string, seconds = 300): Promise<string> {
    const from = this.shown.length;
    this.type(`${command}; echo end-$((40+2))\n`);
    await this.waitFor("end-42", seconds, from);
    return this.shown.slice(from).replaceAll("\r", "");
  }

  /** Who waits for something is told that it does not come: one console's failure ends the test. */
  close(): void {
    this.#closed = true;
    this.#socket.terminate();
  }
}

test("eight Linux guests run from one file; killing, panicking or attacking one changes nothing for the others", {
  timeout: 3_000_000,
}, async (t) => {
  // Outside of all of them, where each can be told by what it asks for.
  const asked: string[] = [];
  const server = createServer(({ url = "" }, response) => {
    asked.push(url);
    response.end("there\n");
  });
  const port = await listening(server);
  const file = join(folder, "eight.yaml");
  const domain = (name: string, more = ""): string =>
    `  ${name}: { memory: 64M, disk: "new:4M", append: "console=ttyAMA0 quiet panic=1"${more} }\n`;
  writeFileSync(
    file,
    `node: { memory: 640M, cpus: 2 }\ndomains:\n${NAMES.map((name, i) => domain(name, i === 1 ? ", noReboot: true" : "")).join("")}`,
  );
  const began = performance.now();
  const up = await atoll("up", file);
  assert.equal(up.status, 0, up.stderr);
  const consoles = NAMES.map((name) => new Console(name));
  t.after(() => {
    for (const console of consoles) console.close();
    server.close();
    server.closeAllConnections();
  });
  await Promise.all(consoles.map((console) => console.waitFor(PROMPT, 600)));
  t.diagnostic(`eight prompts after ${((performance.now() - began) / 1000).toFixed(1)} s`);

  const each = (who: readonly number[], what: (console: Console, i: number) => Promise<void>): Promise<unknown> =>
    Promise.all(who.map((i) => what(consoles[i] as Console, i)));
  const fetched = (i: number): string => `${HAS_NETWORK}; wget -q -O - http://10.0.2.2:${port}/${i}`;
  const isWell = async (console: Console, i: number): Promise<void> => {
    assert.match(
      await console.ask(`head -c 6 /dev/vda; echo; echo $me; ${fetched(i)}`),
      new RegExp(`^disk-${i}$[^]*^I am ${i}$[^]*^there$`, "m"),
    );
  };
  await each([...NAMES.keys()], async (console, i) => {
    await console.ask(`me="I am ${i}"; echo disk-${i} | dd of=/dev/vda conv=fsync 2>/dev/null`);
    await isWell(console, i);
  });
  assert.deepEqual(
    [...new Set(asked)].sort(),
    NAMES.map((_, i) => `/${i}`),
  );

  // Killed, panicked (and told not to start again), panicked and started again; one that takes all that it can of CPU, memory, disk and the hypervisor's time.
  await node.ask("stop", { name: "guest-0", force: true });
  consoles[1]?.type("echo c >/proc/sysrq-trigger\n");
  consoles[2]?.type("echo c >/proc/sysrq-trigger\n");
  consoles[3]?.type(
    "while :; do dd if=/dev/zero of=/dev/vda bs=64k 2>/dev/null; done & while :; do :; done & (while :; do x=$x$x.; done) & while :; do /bin/true; done & while :; do cat /dev/hwrng; done >/dev/null &\n",
  );
  const restarted = consoles[2] as Console;
  await restarted.waitFor(PROMPT, 600, restarted.shown.length);
  const well = [4, 5, 6, 7];
  await each(well, isWell);
  const { domains } = await node.ask("list", {});
  const [first, second, third, , ...others] = domains;
  assert.deepEqual([first?.status, second?.status, third?.status], ["off", "failed", "running"]);
  for (const { name, status, restarts, statistics } of others)
    assert.deepEqual([name, status, restarts, statistics?.refusals], [name, "running", 0, {}]);
  // What was killed is there again with its disk.
  const killed = consoles[0] as Console;
  const from = killed.shown.length;
  await node.ask("start", { name: "guest-0" });
  await killed.waitFor(PROMPT, 600, from);
  assert.match(await killed.ask("head -c 6 /dev/vda; echo"), /^disk-0$/m);
  await each(well, isWell);
  t.diagnostic(`all of it took ${((performance.now() - began) / 1000).toFixed(1)} s`);
});
