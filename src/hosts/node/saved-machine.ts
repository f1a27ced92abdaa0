// A machine in a file: what `atoll run --save`, `atoll restore` and machines that last have in common.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Disk } from "../../contract/definition.ts";
import type { Machine } from "../../machine/machine.ts";
import { BadInput, type MachineParts } from "../../machine/runnable.ts";
import type { RestoreOptions } from "../../machine/snapshot/restore.ts";
import type { SaveResult } from "../../machine/snapshot/save.ts";
import { memorySection } from "../../machine/snapshot/sections.ts";
import { unpackingAhead } from "../../snapshot/ahead.ts";
import type { Checksum } from "../../snapshot/crc32.ts";
import { SnapshotError } from "../../snapshot/error.ts";
import { Fields, type SavedValue } from "../../snapshot/fields.ts";
import { type Encoding, PAGE, type SnapshotCodec, type SnapshotSource } from "../../snapshot/format.ts";
import { type Chunk, verifySnapshot } from "../../snapshot/reader.ts";
import { sourceOfBytes } from "../../snapshot/streams.ts";
import { type MemoryRun, touch } from "./memory-touch.ts";
import { checksum, NewSnapshotFile, readWhole, SnapshotFile, snapshotCodec, threadedCodec } from "./snapshot-file.ts";

/** With what is under them. */
const DISKS_MAX = 8192;
const PATH_MAX = 4096;
const LINE_MAX = 4096;

export interface SaveToFile {
  /** What the machine was made of, as JSON: whoever restores it makes it of that again. */
  readonly definition: SavedValue;
  readonly disks: readonly Disk[];
  /** What the console shows of a line that is not ended: a prompt. */
  readonly lastLine: Uint8Array;
  /** "zstd" by default; "deflate" for files that browsers are to read. */
  readonly encoding?: Encoding;
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Saves a machine, between two slices. The file is whole or it is the one that was there before.
 * @throws BadInput when it cannot be saved, or the host fails.
 */
export async function saveToFile(machine: Machine, path: string, options: SaveToFile): Promise<SaveResult> {
  const temporary = options.disks.find(({ snapshot }) => snapshot);
  if (temporary !== undefined)
    throw new BadInput(`cannot save: what was written to ${temporary.file} is in a temporary file (,snapshot)`);
  const { saveMachine } = await import("../../machine/snapshot/save.ts");
  const file = new NewSnapshotFile(path);
  try {
    // Whoever closes the disks later must not change them any more, as their times are in the file.
    for (const { store } of machine.anatomy.parts.disks) {
      if (store.settle) store.settle();
      else store.flush();
    }
    const result = await saveMachine(machine, {
      ...{ sink: file, codec: snapshotCodec, checksum, synchronous: true, encoding: options.encoding ?? "zstd" },
      progress: options.progress ?? (() => {}),
      host: {
        definition: options.definition,
        disks: await identitiesOf(options.disks),
        lastLine: Buffer.from(options.lastLine.subarray(-LINE_MAX)).toString("latin1"),
        saved: Date.now(),
      },
    });
    file.finish();
    return result;
  } catch (error) {
    file.abandon();
    throw error;
  }
}

interface DiskIdentity {
  readonly file: string;
  /** The disk, where it is a file under that: a backing file. */
  readonly under?: string | undefined;
  /** Of the file, and when it was last changed, in milliseconds since 1970. */
  readonly bytes: number;
  readonly changed: number;
}

async function identitiesOf(disks: readonly Disk[]): Promise<(DiskIdentity & { [name: string]: SavedValue })[]> {
  if (disks.length === 0) return [];
  const { filesUnder } = await import("./disk.ts");
  return disks.flatMap((disk) => [
    identityOf(disk.file),
    ...filesUnder(disk).map((file) => ({ ...identityOf(file), under: resolve(disk.file) })),
  ]);
}

/** What tells that a file has been written since. Files of the same name, size and time are taken to be the same. */
function identityOf(file: string): DiskIdentity & { [name: string]: SavedValue } {
  const { size, mtimeMs } = statSync(file);
  return { file: resolve(file), bytes: size, changed: mtimeMs };
}

/** A machine that was saved, all of whose file has been found to be whole. */
export class SavedMachine {
  readonly path: string;
  /** Of SaveToFile, and not yet known to be one: the file may be anybody's. */
  readonly definition: unknown;
  readonly lastLine: Uint8Array;
  /** When, in milliseconds since 1970. */
  readonly saved: number;
  readonly #disks: readonly DiskIdentity[];
  readonly #file: WholeSnapshot;

  private constructor(path: string, host: Fields, file: WholeSnapshot) {
    this.path = path;
    this.#file = file;
    this.definition = host.any("definition");
    this.lastLine = Buffer.from(host.text("lastLine", LINE_MAX), "latin1");
    this.saved = host.number("saved");
    this.#disks = host.list("disks", DISKS_MAX).map((disk) => ({
      file: disk.text("file", PATH_MAX),
      under: disk.has("under") ? disk.text("under", PATH_MAX) : undefined,
      bytes: disk.number("bytes"),
      changed: disk.number("changed"),
    }));
  }

  /** @throws BadInput, SnapshotError whose message names the file. */
  static async open(path: string): Promise<SavedMachine> {
    return naming(path, async () => {
      // Another thread reads while this one loads what a machine is made with.
      const [file, { readSnapshotConfiguration }] = await Promise.all([
        verified(path),
        import("../../machine/snapshot/restore.ts"),
      ]);
      const { host } = await file.read((source) =>
        readSnapshotConfiguration({ source, codec: snapshotCodec, checksum }),
      );
      return new SavedMachine(path, new Fields(host, "host"), file);
    });
  }

  /** @throws SnapshotError when a disk is not as it was: the guest's memory would not fit it. */
  checkDisks(): void {
    for (const { file, under, bytes, changed } of this.#disks) {
      const now = statSync(file, { throwIfNoEntry: false });
      const what = under === undefined ? `its disk ${file}` : `${file}, which is under its disk ${under},`;
      const advice = "--disk names a copy of it as it was then";
      if (now === undefined) throw this.#other(`${what} is gone; ${advice}`);
      if (now.size !== bytes || now.mtimeMs !== changed) throw this.#other(`${what} has been written since; ${advice}`);
    }
  }

  /** @throws BadInput, SnapshotError whose message names the file. */
  async restore(parts: MachineParts): Promise<Machine> {
    return naming(this.path, async () => {
      const { restoreMachine } = await import("../../machine/snapshot/restore.ts");
      const { codec, checksum, ready } = this.#file;
      return this.#file.read((source) => restoreMachine({ source, codec, checksum, ready, open: () => parts }));
    });
  }

  #other(why: string): SnapshotError {
    return new SnapshotError("other", `cannot restore ${this.path}: ${why}`);
  }
}

/** A file that has been found to be whole. */
interface WholeSnapshot {
  readonly codec: SnapshotCodec;
  readonly checksum: Checksum;
  readonly ready: RestoreOptions["ready"];
  /** Reads it once more from its start. */
  read<T>(use: (source: SnapshotSource) => Promise<T>): Promise<T>;
}

/** Of a file that can be kept in memory, other threads begin to unpack at once what is in it. */
async function verified(path: string): Promise<WholeSnapshot> {
  const bytes = await readWhole(path);
  if (bytes === undefined) {
    await reading(path, (source) => verifySnapshot({ source, checksum }));
    return { codec: snapshotCodec, checksum, ready: undefined, read: (use) => reading(path, use) };
  }
  const chunks: Chunk[] = [];
  const once = checksumOnce(bytes);
  await verifySnapshot({ source: sourceOfBytes(bytes), checksum: once }, (chunk) => chunks.push(chunk));
  return {
    codec: unpackingAhead(threadedCodec, chunks),
    checksum: once,
    ready: (memory, ram) => touch(memory, runsInRam(chunks, ram)),
    read: (use) => use(sourceOfBytes(bytes)),
  };
}

/** Checksums of parts of a file in memory, which does not change: each is computed when it is first asked for. A part is known by its start. */
function checksumOnce(file: Uint8Array): Checksum {
  const known = new Map<number, number>();
  return (bytes, seed) => {
    if (bytes.buffer !== file.buffer || seed !== 0) return checksum(bytes, seed);
    const sum = known.get(bytes.byteOffset) ?? checksum(bytes, 0);
    known.set(bytes.byteOffset, sum);
    return sum;
  };
}

/** What of the memory the chunks are for; up to one that has a page a second time, which restoring finds fault with. */
function runsInRam(chunks: readonly Chunk[], ram: number): MemoryRun[] {
  const name = memorySection("ram");
  const runs: MemoryRun[] = [];
  let end = 0;
  for (const { page, bytes } of chunks.filter((chunk) => chunk.name === name)) {
    const start = ram + page * PAGE;
    if (start < end) break;
    end = start + bytes;
    runs.push({ start, bytes });
  }
  return runs;
}

async function reading<T>(path: string, use: (source: SnapshotFile) => Promise<T>): Promise<T> {
  const file = new SnapshotFile(path);
  try {
    return await use(file);
  } finally {
    file.close();
  }
}

async function naming<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new SnapshotError(error.failure, `cannot restore ${path}: ${error.message}`);
  }
}
