// --net switch:NAME: machines on one virtual switch, which meet at a Unix socket in the runtime directory.

import { linkSync, renameSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { NetworkLink } from "../../network/link.ts";
import { MessageLink } from "../../network/message-link.ts";
import { SwitchHub, type SwitchPort } from "../../network/switch-hub.ts";
import { MessageReader } from "./message-reader.ts";
import { runtimeDirectory } from "./runtime-directory.ts";

/** Bytes that wait to be sent to another machine; more are dropped, as a switch does. */
const WAITING_MAX = 4 * 0x100000;
/** Milliseconds between two tries of finding or becoming the server, and as many more, by chance, that not all try at once. */
const RETRY = 50;
/** Milliseconds between two looks at whether the name is still this one's. */
const WATCH = 2000;
const PORTS_MAX = 64;

/**
 * A machine's part in a switch. The first machine to come serves the others; when it goes, one of them takes its place, and those that are left
 * go on with it. What is on its way at that moment is lost, as frames may be.
 */
export class SwitchMember {
  readonly #path: string;
  readonly #link: MessageLink;
  /** Where the machine is connected while it serves. */
  readonly #port: SwitchPort;
  #hub: SwitchHub | undefined;
  #server: Server | undefined;
  /** Of the socket that the server listens at. */
  #inode = 0;
  #socket: Socket | undefined;
  readonly #clients = new Set<Socket>();
  #retry: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(path: string, mac: Uint8Array, wake: () => void) {
    this.#path = path;
    this.#link = new MessageLink(mac, (message) => this.#send(message), wake);
    this.#port = { deliver: (message) => this.#link.deliver(message) };
  }

  /** Connects to the switch of that name, or makes it. @param wake called when a frame has come. Rejects where neither is possible. */
  static async open(name: string, mac: Uint8Array, wake: () => void): Promise<SwitchMember> {
    const member = new SwitchMember(join(runtimeDirectory(), `switch-${name}.sock`), mac, wake);
    await member.#join();
    return member;
  }

  /** What the machine's interface is plugged into. */
  get link(): NetworkLink {
    return this.#link;
  }

  /** Whether the others are connected to this one. */
  get serving(): boolean {
    return this.#hub !== undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
    if (this.#server !== undefined) {
      if (this.#named()) rmSync(this.#path, { force: true });
      this.#stopServing();
    }
  }

  #stopServing(): void {
    clearInterval(this.#watch);
    this.#server?.close();
    this.#server = this.#hub = undefined;
    for (const client of this.#clients) client.destroy();
  }

  /** Whether the switch's name is this one's. */
  #named(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  #send(message: Uint8Array): void {
    if (this.#hub) this.#hub.forward(message, this.#port);
    else if (this.#socket && this.#socket.writableLength < WAITING_MAX) this.#socket.write(message);
  }

  // Finding the others.

  /** Connects, or serves. */
  async #join(): Promise<void> {
    for (let tries = 0; !this.#closed; tries++) {
      const socket = await reach(this.#path);
      if (socket !== undefined) {
        this.#use(socket);
        return;
      }
      if (await this.#serve()) return;
      // Somebody else is just becoming the server.
      if (tries > 100) throw new Error(`cannot reach or make the switch at ${this.#path}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY * (1 + Math.random())));
    }
  }

  #use(socket: Socket): void {
    this.#socket = socket;
    const reader = new MessageReader();
    socket.on("data", (bytes: Buffer) => {
      if (!reader.feed(bytes, (message) => this.#link.deliver(message))) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#socket = undefined;
      this.#rejoin();
    });
  }

  #rejoin(): void {
    if (this.#closed) return;
    this.#join().then(
      () => {
        // The new server learns where everybody is.
        this.#link.announce();
      },
      () => {
        this.#retry = setTimeout(() => this.#rejoin(), 20 * RETRY);
      },
    );
  }

  /** False: somebody else does. A socket gets its name only when it listens, and only where nobody has that name. */
  async #serve(): Promise<boolean> {
    const own = `${this.#path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(own, resolve);
    });
    server.on("error", () => {});
    this.#inode = statSync(own).ino;
    if (!takeName(own, this.#path)) {
      server.close();
      return false;
    }
    // Of two that took a dead one's name away at the same moment, one finds here that the name is the other's.
    this.#watch = setInterval(() => {
      if (this.#named()) return;
      this.#stopServing();
      this.#rejoin();
    }, WATCH).unref();
    this.#server = server;
    this.#hub = new SwitchHub();
    this.#hub.add(this.#port);
    return true;
  }

  #accept(client: Socket): void {
    const hub = this.#hub;
    if (hub === undefined || this.#clients.size >= PORTS_MAX) {
      client.destroy();
      return;
    }
    this.#clients.add(client);
    const port: SwitchPort = {
      deliver: (message) => {
        if (client.writableLength < WAITING_MAX) client.write(message);
      },
    };
    hub.add(port);
    const reader = new MessageReader();
    client.on("data", (bytes: Buffer) => {
      if (!reader.feed(bytes, (message) => hub.forward(message, port))) client.destroy();
    });
    client.on("error", () => {});
    client.on("close", () => {
      hub.remove(port);
      this.#clients.delete(client);
    });
  }
}

/** A connection to whoever listens there; undefined: nobody does. */
function reach(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

/** Gives the socket at `own` the name `path`, unless somebody lives there. A dead one's name is taken aside before, by one at a time. */
function takeName(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch {
    // A name that has just been taken may not have been there when we looked: leave it alone until it is surely dead.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined && Date.now() - stats.ctimeMs > 4 * RETRY) {
      try {
        renameSync(path, `${own}.dead`);
        rmSync(`${own}.dead`, { force: true });
      } catch {}
    }
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}
