import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { test } from "node:test";
import { publication } from "../../contract/definition.ts";
import { health } from "../../contract/domain.ts";
import { HealthMonitor } from "./health.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a console's line makes a domain healthy, also one that comes in pieces and has no end", () => {
  let changes = 0;
  const monitor = new HealthMonitor(health.parse({ console: "^ready: \\d+" }), { publish: [] }, () => changes++);
  monitor.saw(bytes("not ready: 1\r\nrea"));
  assert.equal(monitor.state, "unknown");
  monitor.saw(bytes("dy: 2"));
  assert.equal(monitor.state, "healthy");
  monitor.saw(bytes("\nready: 3\n"));
  assert.equal(changes, 1);
});

test("a guest that never ends a line costs no more than a line", () => {
  const monitor = new HealthMonitor(health.parse({ console: "x$" }), { publish: [] }, () => {});
  for (let i = 0; i < 1000; i++) monitor.saw(bytes("y".repeat(1000)));
  monitor.saw(bytes("x"));
  assert.equal(monitor.state, "unknown");
});

test("a port that takes connections is healthy, and unhealthy when it takes none any more", async () => {
  const server = await listening();
  const { port } = server.address() as { port: number };
  const given = health.parse({ tcp: 80, interval: 0.02, retries: 2, startPeriod: 0.01 });
  const changed: string[] = [];
  const wait = Promise.withResolvers<void>();
  const monitor = new HealthMonitor(given, { publish: [publication.parse({ port, guestPort: 80 })] }, () => {
    changed.push(monitor.state);
    if (monitor.state === "healthy") server.close();
    else wait.resolve();
  });
  await wait.promise;
  monitor.end();
  assert.deepEqual(changed, ["healthy", "unhealthy"]);
});

function listening(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.on("error", () => {}));
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}
