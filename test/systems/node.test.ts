// A node with domains, driven as its user drives it: by the `atoll` command.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Finished, GuestProcess, ROOT } from "../support/atoll.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-node-"));
const file = join(folder, "shop.yaml");

before(() => {
  process.env.ATOLL_HOME = join(folder, "state");
});
after(async () => {
  await atoll("down", "--force");
  delete process.env.ATOLL_HOME;
  rmSync(folder, { recursive: true, force: true });
});

function atoll(...args: string[]): Promise<Finished> {
  return new GuestProcess(process.execPath, [join(ROOT, "src/cli/main.ts"), ...args]).finished;
}

async function leave(console: GuestProcess): Promise<void> {
  console.child.kill("SIGTERM");
  await console.finished;
}

interface Listed {
  node: { pid: number };
  domains: { name: string; status: string; health?: string; restarts: number; reason?: string }[];
}

async function list(): Promise<Listed> {
  const { stdout, stderr, status } = await atoll("ps", "--json");
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Listed;
}

async function until(condition: (listed: Listed) => boolean, seconds: number): Promise<Listed> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const listed = await list();
    if (condition(listed)) return listed;
    if (performance.now() > deadline)
      throw new Error(
        `not within ${seconds} s: ${JSON.stringify(listed.domains.map(({ definition: _, ...each }: Record<string, unknown>) => each))}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const FILE = `
domains:
  db:
    memory: 96M
    disk: new:16M
    health: { console: "~# " }
  front:
    memory: 96M
    dependsOn: [{ domain: db, is: healthy }]
    restart: { when: always, delay: 0.1 }
`;

test("domains run side by side from one file; each can be stopped, and the node be killed, without harm to what is written", {
  timeout: 400_000,
}, async (t) => {
  await t.test("up starts what is depended on first, and says what it did", async () => {
    writeFileSync(file, FILE);
    const { status, stdout, stderr } = await atoll("up", file);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^db: added\nfront: added\n/);
    const { domains } = await list();
    assert.deepEqual(
      domains.map(({ name, status: each, health }) => [name, each, health]),
      [
        ["db", "running", "healthy"],
        ["front", "running", undefined],
      ],
    );
  });

  await t.test("each has a console of its own", async () => {
    const db = new GuestProcess(process.execPath, [join(ROOT, "src/cli/main.ts"), "console", "db"]);
    await db.ask("echo data | dd of=/dev/vda conv=fsync; head -c 4 /dev/vda | tr a-z A-Z\n", "DATA", 60);
    await leave(db);
    const { stdout } = await atoll("logs", "front");
    assert.ok(!stdout.includes("DATA"));
  });

  await t.test("one that shuts down and is to run always is started again; the other goes on", async () => {
    await until(({ domains }) => domains[1]?.status === "running", 30);
    const front = new GuestProcess(process.execPath, [join(ROOT, "src/cli/main.ts"), "console", "front"]);
    await front.waitFor("~# ", 60);
    front.type("poweroff\n");
    await until(({ domains }) => domains[1]?.restarts === 1 && domains[1].status === "running", 60);
    await leave(front);
    assert.equal((await list()).domains[0]?.restarts, 0);
  });

  await t.test("after kill -9 of the node, up goes on with the same domains, and their disks", async () => {
    const { node } = await list();
    process.kill(node.pid, "SIGKILL");
    const { status, stderr } = await atoll("ps");
    assert.equal(status, 9, stderr);
    assert.match(stderr, /^atoll: the node is not running: atoll up starts it\n$/);
    assert.equal((await atoll("up")).status, 0);
    const db = new GuestProcess(process.execPath, [join(ROOT, "src/cli/main.ts"), "console", "db"]);
    await db.ask("head -c 4 /dev/vda | tr a-z A-Z\n", "DATA", 60);
    await leave(db);
  });

  await t.test("up again changes what changed, and nothing else", async () => {
    writeFileSync(file, FILE.replace("delay: 0.1", "delay: 5"));
    const { stdout } = await atoll("up", file);
    assert.match(stdout, /^db: kept\nfront: changed\n/);
    writeFileSync(file, FILE.replace("when: always", "when: sometimes"));
    const wrong = await atoll("up", file);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^atoll: .*shop\.yaml:\d+: domains\.front\.restart\.when: /);
  });

  await t.test("down ends it; what is left says nothing wrong", async () => {
    assert.equal((await atoll("down")).status, 0);
    assert.equal(readFileSync(join(folder, "state", "node", "process.log"), "utf8"), "");
  });
});
