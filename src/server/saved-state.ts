// A machine's saved state, in its folder: it is there when the machine stopped by saving it, and from when the guest goes on it is not.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ActionError, type Progress } from "../contract/action.ts";
import type { MachineDefinition } from "../contract/definition.ts";
import { filesUnder } from "../hosts/node/disk.ts";
import { checksum, NewSnapshotFile, SnapshotFile, snapshotCodec } from "../hosts/node/snapshot-file.ts";
import type { Machine } from "../machine/machine.ts";
import { BadInput, type MachineParts } from "../machine/runnable.ts";
import type { Checksum } from "../snapshot/crc32.ts";
import type { Encoding, SnapshotCodec, SnapshotSink, SnapshotSource } from "../snapshot/format.ts";
import { asActionError } from "./errors.ts";
import { flushFolder } from "./new-disks.ts";
import type { MachineFolder } from "./state-directory.ts";

/** Milliseconds after which the event loop has its turn, so that who waits hears how far it is. */
const TURN = 50;

/** What a disk's file was when the state was saved: memory and disks belong together. */
type DiskMark = Readonly<Record<"file" | "size" | "modified", string>>;

/** With what a state is written. */
interface StateWriting {
  readonly sink: SnapshotSink;
  readonly codec: SnapshotCodec;
  readonly checksum: Checksum;
  readonly encoding: Encoding;
  readonly progress: (done: number, total: number) => void;
}

/** With what it is read. */
interface StateReading {
  readonly source: SnapshotSource;
  readonly codec: SnapshotCodec;
  readonly checksum: Checksum;
}

export class SavedState {
  readonly #name: string;
  readonly #folder: MachineFolder;
  readonly #definition: Pick<MachineDefinition, "disk">;

  /** @param definition with whole paths. */
  constructor(name: string, folder: MachineFolder, definition: Pick<MachineDefinition, "disk">) {
    this.#name = name;
    this.#folder = folder;
    this.#definition = definition;
  }

  get exists(): boolean {
    return existsSync(this.#folder.saved);
  }

  /**
   * Saves a machine that does not run meanwhile. It is not the saved state yet: once the disks are closed, `finish` makes it that.
   * @throws BadInput when the machine cannot be saved, or the host has no room.
   */
  async save(machine: Machine, progress: (progress: Progress) => void): Promise<NewSnapshotFile> {
    const temporary = this.#definition.disk.findIndex(({ snapshot }) => snapshot);
    if (temporary >= 0) {
      throw new BadInput(
        `what disk ${temporary} has been written is in a temporary file (,snapshot), and goes with it`,
      );
    }
    const { saveMachine } = await import("../machine/snapshot/save.ts");
    return this.write(progress, (options) => saveMachine(machine, options));
  }

  /**
   * Has `save` write what is to be the saved state: `finish` makes it that.
   * @throws BadInput when the host has no room; nothing of it remains then.
   */
  async write(
    progress: (progress: Progress) => void,
    save: (options: StateWriting) => Promise<unknown>,
  ): Promise<NewSnapshotFile> {
    const file = new NewSnapshotFile(this.#folder.saved);
    try {
      await save({
        ...{ sink: inTurns(file), codec: snapshotCodec, checksum, encoding: "zstd" },
        progress: (done, total) => progress({ step: `saving ${this.#name}`, done: total === 0 ? 1 : done / total }),
      });
      return file;
    } catch (error) {
      file.abandon();
      throw error;
    }
  }

  /** @throws BadInput when the host fails; then there is no saved state. */
  finish(file: NewSnapshotFile): void {
    writeDurably(this.#folder.savedDisks, JSON.stringify(this.#marks()));
    file.finish();
  }

  /** @throws ActionError when a disk is not what it was. */
  check(): void {
    const marks = JSON.parse(readFileSync(this.#folder.savedDisks, "utf8")) as readonly DiskMark[];
    const changed = marks.find((mark) => JSON.stringify(mark) !== JSON.stringify(markOf(mark.file)));
    if (changed === undefined) return;
    throw new ActionError(
      "wrong-state",
      `${changed.file} has changed since ${this.#name} was saved: put it back, or forget the saved state with atoll start --cold ${this.#name}`,
    );
  }

  /** @throws as `read` */
  async restore(parts: MachineParts, progress: (progress: Progress) => void): Promise<Machine> {
    const { restoreMachine } = await import("../machine/snapshot/restore.ts");
    return this.read((options) => {
      progress({ step: `restoring ${this.#name}` });
      return restoreMachine({ ...options, open: () => parts });
    });
  }

  /** Has `restore` read the saved state. @throws ActionError when it is damaged, or of another build. */
  async read<T>(restore: (options: StateReading) => Promise<T>): Promise<T> {
    const source = new SnapshotFile(this.#folder.saved);
    try {
      return await restore({ source, codec: snapshotCodec, checksum });
    } catch (error) {
      const { code, message } = asActionError(error);
      if (code === "internal") throw error;
      throw new ActionError(
        code,
        `${this.#name} cannot go on from where it was saved: ${message}; atoll start --cold ${this.#name} forgets the saved state`,
      );
    } finally {
      source.close();
    }
  }

  /** From here on the machine's disks are others than those of the saved state, which is gone for good when this returns. */
  discard(): void {
    const { path, saved, savedDisks } = this.#folder;
    if (!this.exists) return;
    rmSync(saved);
    rmSync(savedDisks, { force: true });
    flushFolder(path);
  }

  /** What somebody left behind who was killed while saving. */
  clean(): void {
    for (const name of readdirSync(this.#folder.path)) {
      if (/^\.saved\.atoll\..*\.tmp$/.test(name)) rmSync(join(this.#folder.path, name));
    }
  }

  #marks(): DiskMark[] {
    return this.#definition.disk.flatMap((disk) => [disk.file, ...filesUnder(disk)].map(markOf));
  }
}

/** A sink whose writer lets others have their turn. */
export function inTurns(sink: SnapshotSink): SnapshotSink {
  let last = performance.now();
  return {
    write: async (bytes) => {
      await sink.write(bytes);
      if (performance.now() - last < TURN) return;
      await new Promise((resolve) => setImmediate(resolve));
      last = performance.now();
    },
  };
}

function markOf(file: string): DiskMark {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return { file, size: String(stats?.size), modified: String(stats?.mtimeNs) };
}

function writeDurably(path: string, text: string): void {
  const fd = openSync(path, "w", 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
