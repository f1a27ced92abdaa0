import { lstatSync, unlinkSync } from "node:fs";
import { createConnection, type Server } from "node:net";
import { BadInput } from "../../machine/runnable.ts";
import { reasonOf } from "./files.ts";

/** Where something is served over TCP. */
export interface TcpAddress {
  /** An address or a name. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** As people write it, IPv6 addresses in brackets. */
export function addressText({ host, port }: TcpAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Begins to listen at an address, or at the path of a Unix socket. @returns the port, 0 for a path. @throws BadInput when it cannot be had. */
export async function listenAt(server: Server, at: TcpAddress | string): Promise<number> {
  const error = await tryListen(server, at);
  if (error !== undefined) throw cannotListen(at, error);
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Begins to listen at the path of a Unix socket. A socket that a process has left behind there is replaced. @throws BadInput when it cannot be had. */
export async function listenAtSocket(server: Server, path: string): Promise<void> {
  const error = await tryListen(server, path);
  if (error === undefined) return;
  if (error.code !== "EADDRINUSE" || !(await isAbandoned(path))) throw cannotListen(path, error);
  unlinkSync(path);
  await listenAt(server, path);
}

function cannotListen(at: TcpAddress | string, error: Error): BadInput {
  return new BadInput(`cannot listen at ${typeof at === "string" ? at : addressText(at)}: ${reasonOf(error)}`);
}

function tryListen(server: Server, at: TcpAddress | string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen(typeof at === "string" ? { path: at } : { ...at }, () => {
      server.off("error", resolve);
      // A client whose connection could not be accepted must not end the process.
      server.on("error", () => {});
      resolve(undefined);
    });
  });
}

/** Whether it is a socket that nobody listens at. To connect to a file of another kind is refused in the same way. */
async function isAbandoned(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "ECONNREFUSED"));
  });
}
