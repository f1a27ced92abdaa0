// Nodes as processes of the `atoll` command, and what is between two of them.

import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import type { DomainInfo, DomainOutput, DomainRequest } from "../../src/contract/domains.ts";
import type { NodeFile } from "../../src/contract/node.ts";
import { NodeClient } from "../../src/server/domains/client.ts";
import { HELLO_BYTES, PROOF_BYTES } from "../../src/server/migration/handshake.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { GuestProcess, ROOT } from "./atoll.ts";

const PROMPT = "atoll:~# ";
/** Seconds that a guest may take, on a computer that has other work. */
const PATIENCE = 600;

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
  #commands = 1000;

  constructor(folder: string, port: number, options: readonly string[] = []) {
    this.client = new NodeClient(new StateDirectory(folder), [process.execPath, join(ROOT, "src/cli/main.ts")]);
    this.port = port;
    this.#options = ["--migrations", `127.0.0.1:${port}`, ...options];
  }

  /** @param options none for one that runs. */
  async up(file?: NodeFile, cold = false, options = this.#options): Promise<void> {
    await this.client.up(file, cold, options, () => {});
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

  migrate(name: string, port: number, more: Partial<DomainRequest<"migrate">> = {}): Promise<DomainOutput<"migrate">> {
    return this.client.ask("migrate", { name, to: `127.0.0.1:${port}`, ...more });
  }

  log(name: string): string {
    const { consoleLog } = this.client.state.domain(name);
    return existsSync(consoleLog) ? readFileSync(consoleLog, "latin1") : "";
  }

  async until(condition: () => boolean, what: () => string): Promise<void> {
    for (const deadline = performance.now() + PATIENCE * 1000; !condition(); )
      if (performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
      else throw new Error(what());
  }

  /** Waits until a guest's shell listens. */
  async shell(name: string): Promise<void> {
    await this.until(
      () => this.log(name).includes(PROMPT),
      () => `no shell: ${this.log(name).slice(-500)}`,
    );
  }

  /** What a command of a guest's shell prints. `atoll console` shows what was there before, too: its output is looked for in the log, from here on. */
  async command(name: string, text: string): Promise<string> {
    const number = this.#commands++;
    const before = this.log(name).length;
    const console = new GuestProcess("env", [
      `ATOLL_HOME=${this.client.state.path}`,
      ...[process.execPath, join(ROOT, "src/cli/main.ts"), "console", name],
    ]);
    // The echo of what is typed does not hold what this prints.
    const end = `<${number + 1}>`;
    console.type(`${text}; echo "<$((${number}+1))>"\n`);
    const shown = (): string => this.log(name).slice(before);
    try {
      await this.until(
        () => shown().includes(end),
        () => `${text}: ${shown()}; ${console.stderr}`,
      );
    } finally {
      console.child.kill("SIGTERM");
      await console.finished;
    }
    return shown().replaceAll("\r", "");
  }

  async end(): Promise<void> {
    if (this.client.runs) await this.client.down(true, () => {});
  }

  get processLog(): string {
    return readFileSync(this.client.state.node.processLog, "utf8");
  }
}

/** Of a message beside its body: its length, its kind, its tag. */
const SEAL_BYTES = 4 + 1 + 16;
/** A migration and a node by their names: what is said of a hand-over to the destination. */
const WHICH_BYTES = JSON.stringify({ id: "0".repeat(32), node: "0".repeat(32) }).length;

/** In what direction something goes. */
export type Way = "to destination" | "to source";

/**
 * Messages of a hand-over. Their contents are sealed; but how many bytes they have tells them from all others (src/server/migration/messages.ts), and
 * which of them it is their order in a connection.
 */
const WORDS = {
  mark: { way: "to destination", bytes: '{"number":0}'.length, nth: 0 },
  prepare: { way: "to destination", bytes: WHICH_BYTES, nth: 0 },
  commit: { way: "to destination", bytes: WHICH_BYTES, nth: 1 },
  settled: { way: "to destination", bytes: WHICH_BYTES, nth: 2 },
  prepared: { way: "to source", bytes: 0, nth: 0 },
  taken: { way: "to source", bytes: 0, nth: 1 },
} as const satisfies Record<string, { readonly way: Way; readonly bytes: number; readonly nth: number }>;
export type HandOverWord = keyof typeof WORDS;
export const HAND_OVER_WORDS = Object.keys(WORDS) as readonly HandOverWord[];

/** What happens when a message comes, or so many bytes of it. */
export interface Trap {
  /** Which one: a word of the hand-over, or by its number in its direction. */
  readonly at: HandOverWord | { readonly way: Way; readonly message: number };
  /** So many of its bytes pass. */
  readonly bytes?: number;
  /** The connection is cut after this. */
  readonly act: () => void | Promise<void>;
}

/** Which messages have passed in a direction of a connection. */
class Passed {
  readonly #way: Way;
  readonly #bySize = new Map<number, number>();
  #all = 0;
  /** Bytes of the first one. */
  #first = -1;

  constructor(way: Way) {
    this.#way = way;
  }

  /** Whether the next one, of so many bytes, is that of a trap. */
  isAt({ at }: Trap, bytes: number): boolean {
    if (typeof at !== "string") return at.way === this.#way && at.message === this.#all;
    const word = WORDS[at];
    // A connection that begins with a word asks what became of a migration before.
    if (this.#first === word.bytes || this.#all === 0) return false;
    return word.way === this.#way && word.bytes === bytes && word.nth === (this.#bySize.get(bytes) ?? 0);
  }

  add(bytes: number): void {
    if (this.#all++ === 0) this.#first = bytes;
    this.#bySize.set(bytes, (this.#bySize.get(bytes) ?? 0) + 1);
  }
}

/** Between two nodes: it cuts a connection where it is told to, and can be a wall. */
export class Between {
  /** Taken away when its message comes. */
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
    this.#pass("to destination", source, destination, cut);
    this.#pass("to source", destination, source, cut);
  }

  #pass(way: Way, from: Socket, to: Socket, cut: () => void): void {
    const passed = new Passed(way);
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
        const bytes = whole.length - SEAL_BYTES;
        if (trap !== undefined && passed.isAt(trap, bytes)) {
          this.trap = undefined;
          closed = true;
          if (trap.bytes !== undefined && trap.bytes > 0) to.write(whole.subarray(0, trap.bytes % whole.length));
          // What was written before is to arrive.
          await new Promise((resolve) => setTimeout(resolve, 20));
          await trap.act();
          cut();
          return;
        }
        passed.add(bytes);
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
