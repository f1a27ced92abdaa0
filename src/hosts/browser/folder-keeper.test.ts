// A folder and its tree are the same in the end, whatever the guest does, and whenever it is kept in between.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { OpenFile } from "../../bus/folder.ts";
import type { FolderKeeper as Keeper } from "./folder-keeper.ts";

const NativeBlob = Blob;

/** What a blob is made of: bytes in memory, and parts of files as they were. */
type Part =
  | { readonly bytes: Uint8Array }
  | { readonly snapshot: Snapshot; readonly from: number; readonly to: number };

/** A blob that can be read at once, as in workers, and whose parts of files can be read only while those are what they were, as in browsers. */
class FakeBlob extends NativeBlob {
  readonly parts: readonly Part[];

  constructor(parts: readonly (ArrayBuffer | Uint8Array | FakeBlob)[] = []) {
    super(parts.map((part) => (part instanceof FakeBlob ? new Uint8Array(part.size) : (part as BlobPart))));
    this.parts = parts.flatMap((part): readonly Part[] => {
      if (part instanceof FakeBlob) return part.parts;
      return [{ bytes: part instanceof ArrayBuffer ? new Uint8Array(part.slice(0)) : part.slice() }];
    });
  }

  readNow(): Uint8Array<ArrayBuffer> {
    const read = this.parts.map((part) => {
      if ("bytes" in part) return part.bytes;
      if (part.snapshot.isGone) throw new DOMException("it has changed", "NotReadableError");
      return part.snapshot.owner.bytes.subarray(part.from, part.to);
    });
    return new Uint8Array(Buffer.concat(read));
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    await turn();
    return this.readNow().buffer;
  }

  override slice(start = 0, end = this.size): Blob {
    const sliced = new FakeBlob();
    let at = 0;
    const parts: Part[] = [];
    for (const part of this.parts) {
      const length = "bytes" in part ? part.bytes.length : part.to - part.from;
      const from = Math.max(0, start - at);
      const to = Math.min(length, end - at);
      at += length;
      if (from >= to) continue;
      if ("bytes" in part) parts.push({ bytes: part.bytes.subarray(from, to) });
      else parts.push({ snapshot: part.snapshot, from: part.from + from, to: part.from + to });
    }
    Object.defineProperties(sliced, { parts: { value: parts }, size: { value: Math.min(end, at) - start } });
    return sliced;
  }
}

/** A file as it was at one time: it cannot be read any more when that is over, as in browsers. */
class Snapshot extends FakeBlob {
  readonly owner: FakeFile;
  readonly version: number;
  readonly name: string;
  readonly lastModified: number;

  constructor(owner: FakeFile) {
    super([owner.bytes]);
    this.owner = owner;
    this.version = this.lastModified = owner.version;
    this.name = owner.name;
    Object.defineProperty(this, "parts", { value: [{ snapshot: this, from: 0, to: owner.bytes.length }] });
  }

  get isGone(): boolean {
    return this.owner.version !== this.version;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class FakeFile {
  readonly kind = "file";
  readonly name: string;
  bytes = new Uint8Array(0);
  version = 0;

  constructor(name: string) {
    this.name = name;
  }

  async getFile(): Promise<Snapshot> {
    await turn();
    return new Snapshot(this);
  }

  async createWritable() {
    const parts: BlobPart[] = [];
    await turn();
    return {
      write: async (blob: Blob) => void parts.push(await blob.arrayBuffer()),
      close: async () => {
        await turn();
        this.bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
        this.version = ++clock;
      },
      abort: async () => {},
    };
  }
}

let clock = 0;
/** Nothing can be written to. */
let isFull = false;

// What the files are kept in is made by the name of browsers' blobs.
globalThis.Blob = FakeBlob as unknown as typeof Blob;
const { FolderKeeper } = await import("./folder-keeper.ts");

class FakeDirectory {
  readonly kind = "directory";
  readonly name: string;
  readonly entries = new Map<string, FakeFile | FakeDirectory>();

  constructor(name: string) {
    this.name = name;
  }

  async *values() {
    for (const entry of [...this.entries.values()]) {
      await turn();
      yield entry;
    }
  }

  getFileHandle(name: string) {
    return this.#get(name, "file", () => new FakeFile(name));
  }

  getDirectoryHandle(name: string) {
    return this.#get(name, "directory", () => new FakeDirectory(name));
  }

  async #get<T extends FakeFile | FakeDirectory>(name: string, kind: string, make: () => T): Promise<T> {
    await turn();
    if (isFull) throw new DOMException("full", "QuotaExceededError");
    const old = this.entries.get(name) ?? make();
    if (old.kind !== kind) throw new DOMException("another kind", "TypeMismatchError");
    this.entries.set(name, old);
    return old as T;
  }

  async removeEntry(name: string): Promise<void> {
    await turn();
    const old = this.entries.get(name);
    if (old === undefined) throw new DOMException("none", "NotFoundError");
    const gone = (entry: FakeFile | FakeDirectory): void => {
      if (entry.kind === "file") entry.version = ++clock;
      else for (const below of entry.entries.values()) gone(below);
    };
    gone(old);
    this.entries.delete(name);
  }

  /** All of it, as text. */
  get contents(): Record<string, unknown> {
    return Object.fromEntries(
      [...this.entries]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, entry]) => [name, entry.kind === "file" ? textOf(entry.bytes) : entry.contents]),
    );
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytes = (text: string): Uint8Array<ArrayBuffer> => Buffer.from(text, "latin1");
const READ_WRITE = { read: true, write: true, append: false, truncate: false };

async function opened(root: FakeDirectory, report = (_problem: Error): void => {}): Promise<Keeper> {
  return FolderKeeper.open(root as unknown as FileSystemDirectoryHandle, {
    tag: "test",
    readOnly: false,
    report,
    read: (blob, from, to) => {
      return (blob.slice(from, to) as FakeBlob).readNow();
    },
  });
}

type Contents = { [name: string]: string | Contents };

/** What the guest sees. */
function seen(keeper: Keeper, path = ""): Contents {
  const found: Contents = {};
  const listing = keeper.folder.list(path);
  for (let name = listing.next(); name !== undefined; name = listing.next()) {
    const below = path === "" ? name : `${path}/${name}`;
    const { mode, size } = keeper.folder.attributes(below);
    if (mode & 0o040000) found[name] = seen(keeper, below);
    else {
      const file = keeper.folder.open(below, READ_WRITE);
      const into = new Uint8Array(size);
      assert.equal(file.read(0, into), size);
      file.close();
      found[name] = textOf(into);
    }
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const path = fc.constantFrom("a", "b", "c", "a/a", "a/b", "b/a", "b/b", "a/a/a", "a/a/b");
const step = fc.oneof(
  fc.record({ do: fc.constant("write"), path, at: fc.constantFrom(0, 5, 65530, 70000), text: fc.string() }),
  fc.record({ do: fc.constant("resize"), path, size: fc.constantFrom(0, 3, 65537, 140000) }),
  fc.record({ do: fc.constantFrom("make", "unlink", "remove", "hold"), path }),
  fc.record({ do: fc.constant("rename"), path, to: path }),
  fc.record({ do: fc.constantFrom("settle", "wait", "turn", "turn", "fill", "empty") }),
);

test("what the guest has done is in the folder when it is closed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
      const root = new FakeDirectory("");
      const keeper = await opened(root);
      const { folder } = keeper;
      try {
        for (const each of ["a", "b", "a/a"]) folder.makeDirectory(each, 0o755);
        const held: { file: OpenFile; text: string }[] = [];
        const textNow = (file: OpenFile): string => {
          const into = new Uint8Array(file.attributes().size);
          file.read(0, into);
          return textOf(into);
        };
        const waiting: Promise<void>[] = [];
        for (const { do: what, ...given } of steps as Record<string, never>[]) {
          const { path, to, at, text, size } = given as Record<string, never>;
          try {
            if (what === "settle") waiting.push(keeper.settle());
            if (what === "wait") await keeper.settle();
            if (what === "turn") await turn();
            if (what === "fill") isFull = true;
            if (what === "empty") isFull = false;
            if (what === "make") folder.makeDirectory(path, 0o755);
            if (what === "unlink") folder.unlink(path);
            if (what === "remove") folder.removeDirectory(path);
            if (what === "rename") folder.rename(path, to);
            if (what === "resize") folder.resize(path, size);
            if (what === "hold") {
              const file = folder.open(path, READ_WRITE);
              held.push({ file, text: textNow(file) });
              // Nobody writes to it by its name any more.
              folder.unlink(path);
            }
            if (what === "write") {
              let file: OpenFile;
              try {
                file = folder.create(path, READ_WRITE, 0o644);
              } catch {
                file = folder.open(path, READ_WRITE);
              }
              file.write(at, bytes(text));
              file.close();
            }
          } catch (error) {
            // What cannot be done is refused by a name that the guest knows.
            assert.match(String((error as { code?: unknown }).code), /^E(?!IO)[A-Z]+$/);
          }
        }
        isFull = false;
        await Promise.all(waiting);
        await keeper.settle();
        const guest = seen(keeper);
        for (const { file, text } of held) {
          // What has been opened stays, whatever becomes of its name: it is in memory.
          assert.equal(file.attributes().size, text.length);
          file.close();
        }
        await keeper.close();
        assert.deepEqual(root.contents, guest);
      } finally {
        isFull = false;
        // It would try again for ever.
        await keeper.close();
      }
    }),
    { numRuns: 1000 },
  );
});

test("what others do is seen, but not in place of what the guest has just done", async () => {
  const root = new FakeDirectory("");
  const put = async (name: string, text: string): Promise<void> => {
    const writable = await (await root.getFileHandle(name)).createWritable();
    await writable.write(new Blob([bytes(text)]));
    await writable.close();
  };
  await put("old", "1");
  await put("both", "1");
  await put("gone", "1");
  const keeper = await opened(root);
  assert.deepEqual(seen(keeper), { old: "1", both: "1", gone: "1" });
  await put("old", "22");
  await put("both", "of others");
  await put("new", "3");
  await root.removeEntry("gone");
  const file = keeper.folder.open("both", { ...READ_WRITE, truncate: true });
  file.write(0, bytes("of the guest"));
  file.close();
  for (let i = 0; i < 100 && !("new" in seenOrNothing(keeper)); i++) await new Promise((done) => setTimeout(done, 100));
  await keeper.close();
  assert.deepEqual(seen(keeper), { both: "of the guest", new: "3", old: "22" });
  assert.deepEqual(root.contents, { both: "of the guest", new: "3", old: "22" });
});

function seenOrNothing(keeper: Keeper): Contents {
  try {
    return seen(keeper);
  } catch {
    return {};
  }
}

test("a folder that is full is said once, the guest learns it from fsync, and what waits is kept later", async () => {
  const root = new FakeDirectory("");
  const problems: string[] = [];
  const keeper = await opened(root, ({ message }) => problems.push(message));
  isFull = true;
  const file = keeper.folder.create("file", READ_WRITE, 0o644);
  file.write(0, bytes("text"));
  keeper.folder.create("other", READ_WRITE, 0o644).write(0, bytes("text"));
  await keeper.settle();
  assert.deepEqual(problems, ["cannot write file in the shared folder test: there is no space left"]);
  assert.throws(() => file.sync(false), { code: "ENOSPC" });
  isFull = false;
  await keeper.settle();
  file.sync(false);
  assert.deepEqual(root.contents, { file: "text", other: "text" });
  await keeper.close();
});

test("a folder that is read-only is not written to", async () => {
  const root = new FakeDirectory("");
  const handle = root as unknown as FileSystemDirectoryHandle;
  const keeper = await FolderKeeper.open(handle, {
    ...{ tag: "test", readOnly: true, report: () => {}, read: () => new Uint8Array(0) },
  });
  assert.throws(() => keeper.folder.create("file", READ_WRITE, 0o644), { code: "EROFS" });
  assert.throws(() => keeper.folder.makeDirectory("directory", 0o755), { code: "EROFS" });
  await keeper.close();
  assert.deepEqual(root.contents, {});
});
