// Where machines that last are kept.

import { createHash } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { inBaseDirectory } from "../hosts/node/base-directory.ts";
import { asBadInput } from "../hosts/node/files.ts";
import { runtimeDirectory } from "../hosts/node/runtime-directory.ts";
import { BadInput } from "../machine/runnable.ts";

/** Bytes that a Unix socket's path may have on every system that Node runs on (sun_path: 104 on some, with its NUL). */
const SOCKET_PATH_MAX = 103;

/** $ATOLL_HOME, or `atoll` in the state directory of the XDG base directory specification, which is for what lasts and is no one's document. */
export function stateHome(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.ATOLL_HOME) return resolve(environment.ATOLL_HOME);
  return inBaseDirectory("XDG_STATE_HOME", environment);
}

export class StateDirectory {
  readonly path: string;
  readonly database: string;

  /** Makes the directory where it is missing. @throws BadInput when it cannot be used. */
  constructor(path: string) {
    this.path = path;
    this.database = join(path, "machines.sqlite");
    try {
      mkdirSync(join(path, "machines"), { recursive: true, mode: 0o700 });
      const { uid } = lstatSync(join(path, "machines"));
      if (process.getuid !== undefined && uid !== process.getuid()) {
        throw new BadInput(`${path} belongs to another user: set ATOLL_HOME to a folder of yours`);
      }
    } catch (error) {
      throw asBadInput(error, "use", path);
    }
  }

  /** The database of the node's domains. */
  get domains(): string {
    return join(this.path, "domains.sqlite");
  }

  /** Of the node's process. */
  get node(): MachineFolder {
    return new MachineFolder(join(this.path, "node"));
  }

  /** Of a domain of the node. */
  domain(name: string): MachineFolder {
    return new MachineFolder(join(this.path, "domains", name));
  }

  /**
   * What disks of domains are on top of since the domains were forked. Beside the domains, whose names do not begin like this, as a relative path
   * in an image has to be good when the image becomes such a layer.
   */
  get layers(): string {
    return join(this.path, "domains", ".layers");
  }

  machine(name: string): MachineFolder {
    return new MachineFolder(join(this.path, "machines", name));
  }
}

/** The files of one machine. Disks that belong to it are in the folder, too: definitions have their names without a path. */
export class MachineFolder {
  readonly path: string;
  /** What its console showed. */
  readonly consoleLog: string;
  /** What its process had to say. */
  readonly processLog: string;
  /** Who runs it: for who holds no lock, a hint. */
  readonly process: string;
  /** The saved state, and what its disks were when it was saved. */
  readonly saved: string;
  readonly savedDisks: string;
  /** The Unix socket of its process. */
  readonly socket: string;

  constructor(path: string) {
    this.path = path;
    this.consoleLog = join(path, "console.log");
    this.processLog = join(path, "process.log");
    this.process = join(path, "process.json");
    this.saved = join(path, "saved.atoll");
    this.savedDisks = join(path, "saved-disks.json");
    const beside = join(path, "control.sock");
    this.socket =
      Buffer.byteLength(beside) <= SOCKET_PATH_MAX
        ? beside
        : join(runtimeDirectory(), `${createHash("sha256").update(path).digest("hex").slice(0, 24)}.sock`);
  }

  /** A path of a definition: those of disks that belong to the machine are relative to its folder. */
  resolve(path: string): string {
    return isAbsolute(path) ? path : join(this.path, path);
  }
}
