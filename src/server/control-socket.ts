// The HTTP API of one machine's process, on a Unix socket that its user alone reaches.

import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { listenAt } from "../hosts/node/listen.ts";

/** Milliseconds that clients have to take their answers when the server ends. */
const GOODBYE = 1000;

/** @throws BadInput when there cannot be a socket at the path. */
export async function listen(app: Hono, path: string): Promise<Server> {
  // Left behind by a process that was killed: who calls this holds the machine's lock.
  rmSync(path, { force: true });
  const server = createServer(getRequestListener(app.fetch));
  // Actions take as long as they take.
  server.requestTimeout = 0;
  await listenAt(server, path);
  return server;
}

/** Lets answers go out, and ends. */
export async function endServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), GOODBYE);
  await closed;
  clearTimeout(timer);
}
