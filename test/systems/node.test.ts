// A node with domains, driven as its user drives it: by the `atoll` command.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Atoll, atoll } from "../support/atoll.ts";
import { nodeOfTest } from "../support/node-of-test.ts";

const folder = nodeOfTest();
const file = join(folder, "shop.yaml");

async function leave(console: Atoll): Promise<void> {
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
    const db = new Atoll(["console", "db"]);
    await db.ask("echo data | dd of=/dev/vda conv=fsync; head -c 4 /dev/vda | tr a-z A-Z\n", "DATA", 60);
    await leave(db);
    const { stdout } = await atoll("logs", "front");
    assert.ok(!stdout.includes("DATA"));
  });

  await t.test(
    "a copy goes on from where the original is, on a disk of its own, with another network address",
    async () => {
      const { status, stdout, stderr } = await atoll("fork", "db", "twin");
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^twin is a copy of db, which stood still for [\d.]+ ms\n$/);
      const twin = new Atoll(["console", "twin"]);
      // What the shell had typed is in its history, what it had in its page cache is there, too.
      await twin.ask("head -c 4 /dev/vda | tr a-z A-Z\n", "DATA", 60);
      await twin.ask(
        "echo TWIN | tr A-Z a-z | dd of=/dev/vda conv=fsync; head -c 4 /dev/vda | tr a-z A-Z\n",
        "TWIN",
        60,
      );
      await leave(twin);
      const db = new Atoll(["console", "db"]);
      await db.ask("echo 3 >/proc/sys/vm/drop_caches; head -c 4 /dev/vda | rev\n", "atad", 60);
      await leave(db);
      const infos = await Promise.all(["db", "twin"].map((name) => atoll("info", name, "--json")));
      const [mine, other] = infos.map(
        ({ stdout: text }) => JSON.parse(text) as { forkedFrom?: string; definition: object },
      );
      assert.equal(other?.forkedFrom, "db");
      assert.notDeepEqual(mine?.definition, other?.definition);
      const again = await atoll("fork", "db", "twin");
      assert.deepEqual([again.status, again.stderr], [9, "atoll: there is a domain twin already\n"]);
    },
  );

  await t.test("one that shuts down and is to run always is started again; the other goes on", async () => {
    await until(({ domains }) => domains[1]?.status === "running", 30);
    const front = new Atoll(["console", "front"]);
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
    const db = new Atoll(["console", "db"]);
    await db.ask("head -c 4 /dev/vda | tr a-z A-Z\n", "DATA", 60);
    await leave(db);
    // A copy is a domain as others are: it boots again, with its own disk.
    const twin = new Atoll(["console", "twin"]);
    await twin.ask("head -c 4 /dev/vda | tr a-z A-Z\n", "TWIN", 60);
    await leave(twin);
  });

  await t.test("up again changes what changed, and nothing else", async () => {
    writeFileSync(file, FILE.replace("delay: 0.1", "delay: 5"));
    const { stdout } = await atoll("up", file);
    assert.match(stdout, /^db: kept\nfront: changed\n/);
    assert.equal((await list()).domains.at(-1)?.name, "twin");
    assert.equal((await atoll("rm", "--force", "twin")).status, 0);
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
