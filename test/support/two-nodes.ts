// Nodes as processes of the `atoll` command, and what is between two of them.

import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import type { DomainInfo, DomainOutput } from "../../src/contract/domains.ts";
import type { NodeFile } from "../../src/contract/node.ts";
import { NodeClient } from "../../src/server/domains/client.ts";
import { HELLO_BYTES, PROOF_BYTES } from "../../src/server/migration/handshake.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { ROOT } from "./atoll.ts";

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class TestNode {
  readonly client: NodeClient;
  readonly port: number;
  readonly #options: readonly string[];

  constructor(folder: string, port: number, options: readonly string[] = []) {
    this.client = new NodeClient(new StateDirectory(folder), [process.execPath, join(ROOT, "src/cli/main.ts")]);
    this.port = port;
    this.#options = ["--migrations", `127.0.0.1:${port}`, ...options];
  }

  async up(file?: NodeFile): Promise<void> {
    await this.client.up(file, this.#options, () => {});
  }

  /** The other one's token is this one's. */
  shareTokenWith(other: TestNode): void {
    const to = join(other.client.state.node.path, "token");
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(this.client.state.node.path, "token"), to);
  }

  async kill(): Promise<void> {
    const { node } = await this.client.ask("list", {});
    process.kill(node.pid, "SIGKILL");
    while (this.client.runs) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async domain(name: string): Promise<DomainInfo | undefined> {
    const { domains } = await this.client.ask("list", {});
    return domains.find((each) => each.name === name);
  }

  migrate(name: string, port: number): Promise<DomainOutput<"migrate">> {
    return this.client.ask("migrate", { name, to: `127.0.0.1:${port}` });
  }

  log(name: string): string {
    const { consoleLog } = this.client.state.domain(name);
    return existsSync(consoleLog) ? readFileSync(consoleLog, "latin1") : "";
  }

  async end(): Promise<void> {
    if (this.client.runs) await this.client.down(true, () => {});
  }

  get processLog(): string {
    return readFileSync(this.client.state.node.processLog, "utf8");
  }
}

/** In what direction something goes. */
export type Way = "to destination" | "to source";

/** What happens when so many messages, or bytes, have passed. */
export interface Trap {
  readonly way: Way;
  /** Before the message of that number passes; or so many of its bytes, where that is given. */
  readonly message: number;
  readonly bytes?: number;
  /** The connection is cut after this. */
  readonly act: () => void | Promise<void>;
}

/** Between two nodes: it counts messages, cuts a connection where it is told to, and can be a wall. */
export class Between {
  /** Of the last connection. */
  readonly counts: Record<Way, number> = { "to destination": 0, "to source": 0 };
  trap: Trap | undefined;
  wall = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #to: number;
  port = 0;

  constructor(to: number) {
    this.#to = to;
    this.#server = createServer((socket) => this.#met(socket));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.port = (this.#server.address() as { port: number }).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #met(source: Socket): void {
    if (this.wall) {
      source.destroy();
      return;
    }
    const destination = connect(this.#to, "127.0.0.1");
    for (const socket of [source, destination]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        (socket === source ? destination : source).destroy();
      });
    }
    const cut = (): void => {
      source.destroy();
      destination.destroy();
    };
    this.counts["to destination"] = 0;
    this.counts["to source"] = 0;
    this.#pass("to destination", source, destination, cut);
    this.#pass("to source", destination, source, cut);
  }

  #pass(way: Way, from: Socket, to: Socket, cut: () => void): void {
    let waiting = Buffer.alloc(0);
    let opening = HELLO_BYTES + PROOF_BYTES;
    let closed = false;
    const work = async (): Promise<void> => {
      for (;;) {
        if (closed) return;
        if (opening > 0) {
          const part = waiting.subarray(0, opening);
          if (part.length === 0) return;
          opening -= part.length;
          waiting = waiting.subarray(part.length);
          to.write(part);
          continue;
        }
        if (waiting.length < 4 || waiting.length < 4 + waiting.readUInt32LE(0)) return;
        const whole = waiting.subarray(0, 4 + waiting.readUInt32LE(0));
        waiting = waiting.subarray(whole.length);
        const { trap } = this;
        if (trap !== undefined && trap.way === way && trap.message === this.counts[way]) {
          this.trap = undefined;
          closed = true;
          if (trap.bytes !== undefined && trap.bytes > 0) to.write(whole.subarray(0, trap.bytes % whole.length));
          // What was written before is to arrive.
          await new Promise((resolve) => setTimeout(resolve, 20));
          await trap.act();
          cut();
          return;
        }
        this.counts[way]++;
        to.write(whole);
      }
    };
    let last = Promise.resolve();
    from.on("data", (piece: Buffer) => {
      last = last.then(() => {
        waiting = Buffer.concat([waiting, piece]);
        return work();
      });
    });
  }
}
