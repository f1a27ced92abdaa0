// Runs the node in this process, with its sockets, from when its lock is taken to when it is let go.

import { randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Server as NetServer } from "node:net";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { ActionError, ERROR_CODES } from "../../contract/action.ts";
import { DOMAIN_ACTIONS, DOMAIN_CONSOLE_PATH, METRICS_PATH, OPEN_API_PATH } from "../../contract/domains.ts";
import { loadPackageFile, reasonOf } from "../../hosts/node/files.ts";
import { keepHeapsSmall } from "../../hosts/node/heaps.ts";
import { listenAt, type TcpAddress } from "../../hosts/node/listen.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { ConsoleHub } from "../console-hub.ts";
import { serveConsoles } from "../console-socket.ts";
import { endServer, listen } from "../control-socket.ts";
import { httpApi } from "../http-api.ts";
import { MachineLock } from "../machine-lock.ts";
import { listen as listenForDomains, loadCertificates } from "../migration/transport.ts";
import { openApi } from "../open-api.ts";
import type { StateDirectory } from "../state-directory.ts";
import { MachineStore } from "../store.ts";
import { Layers } from "./layers.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { Node } from "./node.ts";
import { DomainStore } from "./store.ts";

export interface DaemonOptions {
  /** Where the API is served beside the Unix socket. */
  readonly tcp?: TcpAddress | undefined;
  /** Where domains come from other nodes. */
  readonly migrations?: TcpAddress | undefined;
  /** Folder with certificates for migrations, to this node and from it. */
  readonly migrationTls?: string | undefined;
  /** As NodeOptions. */
  readonly hold?: boolean | undefined;
  /** The node runs from here on, and answers. */
  readonly ready: (node: Node) => void;
}

/** Runs the node to its end. @throws ActionError when it runs already; BadInput when its sockets or its machine cannot be made. */
export async function runNode(state: StateDirectory, options: DaemonOptions): Promise<void> {
  const { tcp, migrations, migrationTls, ready } = options;
  const certificates = migrationTls === undefined ? undefined : loadCertificates(migrationTls);
  const folder = state.node;
  mkdirSync(folder.path, { recursive: true, mode: 0o700 });
  const lock = await MachineLock.take("the node", folder.path);
  const store = new DomainStore(state.domains);
  const machines = new MachineStore(state.database);
  const layers = new Layers(state.path, state.layers, join(state.path, "domains"));
  // Of a fork that a crash ended.
  layers.sweep();
  const servers: Server[] = [];
  let arriving: NetServer | undefined;
  const token = (): Buffer => tokenOf(join(folder.path, "token"));
  const goodbyes: ((reason: string) => void)[] = [];
  try {
    const node = new Node({
      store,
      folderOf: (name) => state.domain(name),
      layers,
      hold: options.hold,
      isTaken: (name) => machines.find(name) !== undefined,
      ...{ token, certificates },
    });
    const app = api(node);
    const consoleOf = (path: string): ConsoleHub | undefined => {
      const [before, after] = DOMAIN_CONSOLE_PATH.split("{name}") as [string, string];
      const name = path.startsWith(before) && path.endsWith(after) ? path.slice(before.length, -after.length) : "";
      return node.consoleOf(name);
    };
    const local = await listen(app, folder.socket);
    servers.push(local);
    goodbyes.push(serveConsoles(local, consoleOf));
    if (tcp !== undefined) {
      const expected = token();
      const allows = (request: IncomingMessage): boolean => hasToken(request, expected);
      const remote = await listenTcp(app, tcp, allows);
      servers.push(remote);
      goodbyes.push(serveConsoles(remote, consoleOf, allows));
    }
    if (migrations !== undefined) {
      token();
      arriving = await listenForDomains(migrations, certificates, node.arrivals.met);
    }
    ready(node);
    keepHeapsSmall();
    await node.run();
    for (const goodbye of goodbyes) goodbye("the node ended");
  } finally {
    arriving?.close();
    await Promise.all(servers.map(endServer));
    rmSync(folder.socket, { force: true });
    machines.close();
    store.close();
    lock.release();
  }
}

function api(node: Node): Hono {
  const app = httpApi(DOMAIN_ACTIONS, node);
  app.get(METRICS_PATH, (context) => {
    const { node: info, domains } = node.infos;
    return context.body(metricsText(info, domains), 200, { "content-type": METRICS_TYPE });
  });
  const { version } = JSON.parse(new TextDecoder().decode(loadPackageFile("package.json"))) as { version: string };
  app.get(OPEN_API_PATH, (context) => context.json(openApi("Atoll node", version, DOMAIN_ACTIONS)));
  return app;
}

/** The token for TCP, in a file that its user alone reads; made when there is none. */
function tokenOf(path: string): Buffer {
  try {
    writeFileSync(path, `${randomBytes(32).toString("base64url")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw new BadInput(`cannot write ${path}: ${reasonOf(error)}`);
    chmodSync(path, 0o600);
  }
  const token = readFileSync(path, "latin1").trim();
  if (token.length < 32) throw new BadInput(`${path} has no good token: remove the file, and one is made`);
  return Buffer.from(token);
}

/** RFC 6750, 2.1. */
function hasToken({ headers }: IncomingMessage, token: Buffer): boolean {
  const given = Buffer.from(/^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? "");
  return given.length === token.length && timingSafeEqual(given, token);
}

async function listenTcp(
  app: Hono,
  address: TcpAddress,
  allows: (request: IncomingMessage) => boolean,
): Promise<Server> {
  const answer = getRequestListener(app.fetch);
  const { code, message } = new ActionError("no-access", "give the token: Authorization: Bearer TOKEN");
  const refusal = JSON.stringify({ error: { code, message } });
  const server = createServer((request, response) => {
    if (allows(request)) void answer(request, response);
    else {
      response.writeHead(ERROR_CODES[code], { "content-type": "application/json", "www-authenticate": "Bearer" });
      response.end(refusal);
    }
  });
  server.requestTimeout = 0;
  await listenAt(server, address);
  return server;
}
