import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BadInput } from "../../machine/runnable.ts";
import { listenAt, listenAtSocket } from "./listen.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-listen-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

function server(): Server {
  const made = createServer();
  servers.push(made);
  return made;
}

/** The path of a socket whose process has been killed. */
function abandoned(name: string): string {
  const path = join(folder, name);
  const program = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  assert.throws(() => execFileSync(process.execPath, ["-e", program], { stdio: "ignore" }));
  assert.ok(existsSync(path));
  return path;
}

const refused = (error: unknown): boolean => error instanceof BadInput && /^cannot listen at .*: /.test(error.message);

test("a free port is found and told, and a port in use is refused", async () => {
  const port = await listenAt(server(), { host: "127.0.0.1", port: 0 });
  assert.ok(port > 0);
  await assert.rejects(listenAt(server(), { host: "127.0.0.1", port }), refused);
});

test("a socket that was left behind is replaced by who asks for that alone", async () => {
  const path = abandoned("left");
  await assert.rejects(listenAt(server(), path), refused);
  await listenAtSocket(server(), path);
});

test("a socket that is listened at, and a file, are left as they are", async () => {
  const path = join(folder, "live");
  await listenAtSocket(server(), path);
  await assert.rejects(listenAtSocket(server(), path), refused);
  const file = join(folder, "file");
  writeFileSync(file, "text");
  await assert.rejects(listenAtSocket(server(), file), refused);
  assert.ok(existsSync(file));
});
