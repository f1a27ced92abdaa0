import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NinepClient, NinepError } from "../../../../test/support/9p-client.ts";
import { NodeFolder } from "../../../hosts/node/shared-folder.ts";
import { ERRNO } from "./errno.ts";
import * as P from "./messages.ts";
import { Session } from "./session.ts";

const { T } = P;
const base = realpathSync(mkdtempSync(join(tmpdir(), "atoll-9p-")));
after(() => rmSync(base, { recursive: true }));
let count = 0;

/** A folder beside which there is a secret, and a client that has attached as fid 0. */
function setUp(readOnly = false, user = 0) {
  const place = join(base, `${count++}`);
  const folder = join(place, "shared");
  mkdirSync(join(folder, "d"), { recursive: true });
  writeFileSync(join(place, "secret"), "secret");
  writeFileSync(join(folder, "f"), "hello");
  const client = new NinepClient(new Session(new NodeFolder(folder, readOnly)));
  client.version();
  client.attach(0, user);
  return { place, folder, client };
}

function fails(errno: keyof typeof ERRNO, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof NinepError && error.errno === ERRNO[errno], errno);
}

test("the version and the size of messages are agreed upon, and first", () => {
  const client = new NinepClient(new Session(new NodeFolder(base, true)));
  fails("EINVAL", () => client.attach(0));
  assert.deepEqual(client.version("9P2000", 8192), { msize: 8192, version: "unknown" });
  fails("EINVAL", () => client.attach(0));
  assert.deepEqual(client.version("9P2000.L", 2 ** 31), { msize: P.MSIZE_MAX, version: "9P2000.L" });
  fails("EMSGSIZE", () => client.version("9P2000.L", 100));
});

test("files are read and written where the client says", () => {
  const { folder, client } = setUp();
  client.walk(0, 1, "f");
  client.open(1, P.OPEN.readWrite);
  assert.equal(client.read(1, 0, 100).toString(), "hello");
  assert.equal(client.read(1, 3, 1).toString(), "l");
  assert.equal(client.read(1, 5, 10).length, 0);
  assert.equal(client.write(1, 4, Buffer.from("0 world")), 7);
  assert.equal(readFileSync(join(folder, "f"), "utf8"), "hell0 world");
  client.call(T.fsync, (w) => {
    w.u32(1);
    w.u32(0);
  });
  client.clunk(1);
  fails("EBADF", () => client.read(1, 0, 1));
});

test("a read gives at most what the message holds", () => {
  const { folder, client } = setUp();
  writeFileSync(join(folder, "f"), Buffer.alloc(3 * P.MSIZE_MAX, 7));
  client.walk(0, 1, "f");
  client.open(1, 0);
  assert.equal(client.read(1, 0, 0xffff_ffff).length, P.MSIZE_MAX - P.READ_HEADER_BYTES);
  assert.ok(client.read(1, P.MSIZE_MAX, P.MSIZE_MAX - 11).every((byte) => byte === 7));
});

test("a file that is made is open", () => {
  const { folder, client } = setUp();
  client.walk(0, 1);
  client.create(1, "new", P.OPEN.writeOnly, 0o640);
  client.write(1, 0, Buffer.from("x"));
  assert.equal(readFileSync(join(folder, "new"), "utf8"), "x");
  assert.equal(lstatSync(join(folder, "new")).mode & 0o7777, 0o640 & ~process.umask());
  client.walk(0, 2);
  fails("EEXIST", () => client.create(2, "new", P.OPEN.exclusive, 0o600));
  client.create(2, "new", P.OPEN.readWrite | P.OPEN.truncate, 0o600);
  assert.equal(lstatSync(join(folder, "new")).size, 0);
});

test("what lends rights is not set", () => {
  const { folder, client } = setUp();
  client.walk(0, 1);
  client.create(1, "new", P.OPEN.writeOnly, 0o6755);
  client.walk(0, 2, "f");
  client.setattr(2, P.SETATTR.mode, { mode: 0o7711 });
  assert.equal(lstatSync(join(folder, "new")).mode & 0o6000, 0);
  assert.equal(lstatSync(join(folder, "f")).mode & 0o7777, 0o1711);
});

test("directories are read in parts of any size, with . and ..", () => {
  const { folder, client } = setUp();
  const names = Array.from({ length: 600 }, (_, i) => `name-${i}`);
  for (const name of names) writeFileSync(join(folder, "d", name), "");
  client.walk(0, 1, "d");
  client.open(1, 0);
  for (const size of [40, 100, 5000, 100_000]) {
    const found = client.list(1, size);
    assert.deepEqual(found.map(({ name }) => name).sort(), [".", "..", ...names].sort(), `${size}`);
    assert.deepEqual(new Set(found.map(({ type }) => type)), new Set([P.DT.directory, P.DT.file]));
  }
  // Any entry's offset is a place to go on from.
  const all = client.list(1, 100_000);
  const tenth = all[9] as { offset: number };
  assert.deepEqual(client.readdir(1, tenth.offset, 100)[0], all[10]);
});

test("names are bytes, not text", () => {
  const { folder, client } = setUp();
  client.walk(0, 1);
  client.create(1, "\xff\xfe\xe9", P.OPEN.writeOnly, 0o600);
  client.walk(0, 2);
  client.open(2, 0);
  assert.ok(client.list(2, 4096).some(({ name }) => name === "\xff\xfe\xe9"));
  assert.ok(existsSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff, 0xfe, 0xe9)])));
});

test("attributes are the host's; what is the host user's belongs to who has attached", () => {
  const { folder, client } = setUp(false, 1000);
  chmodSync(join(folder, "f"), 0o604);
  client.walk(0, 1, "f");
  const found = client.getattr(1);
  const stats = lstatSync(join(folder, "f"));
  assert.deepEqual(
    [found.mode, found.uid, found.gid, found.size, found.links, found.modified],
    [0o100604, 1000, 1000, 5, 1, Math.floor(stats.mtimeMs / 1000)],
  );
  client.setattr(1, P.SETATTR.uid | P.SETATTR.gid, { uid: 1000, gid: 1000 });
  fails("EPERM", () => client.setattr(1, P.SETATTR.uid, { uid: 0 }));
  client.setattr(1, P.SETATTR.size | P.SETATTR.mtime | P.SETATTR.mtimeSet, { size: 2, modified: 1_000_000_000 });
  assert.equal(readFileSync(join(folder, "f"), "utf8"), "he");
  assert.equal(lstatSync(join(folder, "f")).mtimeMs, 1e12);
});

test("a file that is open is there after its name is gone", () => {
  const { client } = setUp();
  client.walk(0, 1, "f");
  client.open(1, P.OPEN.readWrite);
  client.unlink(0, "f", 0);
  assert.equal(client.read(1, 0, 9).toString(), "hello");
  assert.equal(client.getattr(1).links, 0);
  // As Linux asks for ftruncate.
  client.setattr(1, P.SETATTR.size | P.SETATTR.mtime, { size: 1 });
  client.setattr(1, P.SETATTR.mode | P.SETATTR.mtime | P.SETATTR.mtimeSet, { mode: 0o600, modified: 1_000_000_000 });
  const { size, mode, modified } = client.getattr(1);
  assert.deepEqual([size, mode, modified], [1, 0o100600, 1_000_000_000]);
});

test("names are made, moved and removed", () => {
  const { folder, client } = setUp();
  client.mkdir(0, "e", 0o755);
  client.symlink(0, "l", "../secret");
  client.walk(0, 1, "f");
  client.link(0, 1, "hard");
  assert.equal(lstatSync(join(folder, "f")).nlink, 2);
  client.walk(0, 2, "d");
  client.renameat(0, "hard", 2, "moved");
  client.rename(1, 2, "g");
  assert.deepEqual([existsSync(join(folder, "d/moved")), existsSync(join(folder, "d/g"))], [true, true]);
  // A fid goes with its file, and with the directory that this is in.
  client.renameat(0, "d", 0, "dd");
  client.open(1, 0);
  assert.equal(client.read(1, 0, 9).toString(), "hello");
  fails("ENOTEMPTY", () => client.unlink(0, "dd", P.AT_REMOVEDIR));
  fails("EISDIR", () => client.unlink(0, "dd", 0));
  client.unlink(0, "e", P.AT_REMOVEDIR);
  client.unlink(0, "l", 0);
  client.remove(1);
  assert.equal(existsSync(join(folder, "dd/g")), false);
  fails("EBADF", () => client.getattr(1));
});

test("symbolic links are the guest's to follow", () => {
  const { place, folder, client } = setUp();
  symlinkSync("../secret", join(folder, "l"));
  symlinkSync("..", join(folder, "up"));
  client.walk(0, 1, "l");
  assert.equal(client.readlink(1), "../secret");
  assert.equal(client.getattr(1).mode & 0o170000, 0o120000);
  for (const flags of [0, P.OPEN.writeOnly, P.OPEN.truncate]) fails("EACCES", () => client.open(1, flags));
  client.setattr(1, P.SETATTR.mtime | P.SETATTR.mtimeSet, { modified: 5 });
  assert.throws(() => client.setattr(1, P.SETATTR.mode, { mode: 0 }));
  assert.throws(() => client.setattr(1, P.SETATTR.size, { size: 0 }));
  fails("ENOTDIR", () => client.walk(1, 2, "x"));
  assert.deepEqual(client.walk(0, 2, "up", "secret").length, 1);
  fails("EBADF", () => client.getattr(2));
  client.walk(0, 3);
  fails("EACCES", () => client.create(3, "l", P.OPEN.writeOnly, 0o600));
  client.walk(0, 4, "up");
  fails("ENOTDIR", () => client.create(4, "escaped", P.OPEN.writeOnly, 0o600));
  fails("ENOTDIR", () => client.mkdir(4, "escaped", 0o700));
  fails("ENOTDIR", () => client.unlink(4, "secret", 0));
  fails("ENOTDIR", () => client.renameat(4, "secret", 0, "mine"));
  fails("ENOTDIR", () => client.renameat(0, "f", 4, "theirs"));
  assert.deepEqual(
    [readFileSync(join(place, "secret"), "utf8"), existsSync(join(place, "escaped"))],
    ["secret", false],
  );
});

test("no name leads out of the folder", () => {
  const { place, client } = setUp();
  assert.equal(client.walk(0, 1, "..", "..", "f").length, 3);
  assert.equal(client.getattr(1).size, 5);
  client.walk(0, 2, "d", "..", "..");
  assert.deepEqual(client.getattr(2).identity, client.getattr(0).identity);
  for (const name of ["../secret", "/etc/passwd", "d/../../secret", "f\0", "", "\0"]) {
    fails("ENOENT", () => client.walk(0, 3, name));
    for (const action of [
      () => client.create(0, name, P.OPEN.writeOnly, 0o600),
      () => client.mkdir(0, name, 0o700),
      () => client.symlink(0, name, "x"),
      () => client.link(0, 1, name),
      () => client.unlink(0, name, 0),
      () => client.renameat(0, name, 0, "x"),
      () => client.renameat(0, "f", 0, name),
      () => client.rename(1, 0, name),
      () => client.mknod(0, name, 0o100600),
    ]) {
      fails("EINVAL", action);
    }
  }
  for (const name of [".", ".."]) fails("EINVAL", () => client.renameat(0, "f", 0, name));
  fails("ENAMETOOLONG", () => client.walk(0, 3, "n".repeat(256)));
  assert.equal(readFileSync(join(place, "secret"), "utf8"), "secret");
});

test("a directory that a link has taken the place of leads nowhere", () => {
  const { place, folder, client } = setUp();
  mkdirSync(join(place, "elsewhere"));
  writeFileSync(join(place, "elsewhere/x"), "secret");
  writeFileSync(join(folder, "d/x"), "mine");
  client.walk(0, 1, "d");
  client.walk(0, 2, "d", "x");
  renameSync(join(folder, "d"), join(folder, "old"));
  symlinkSync("../elsewhere", join(folder, "d"));
  fails("ENOENT", () => client.getattr(2));
  fails("ENOENT", () => client.open(2, 0));
  fails("ENOTDIR", () => client.walk(1, 3, "x"));
  fails("ENOTDIR", () => client.walk(1, 3, "y"));
  fails("ENOTDIR", () => client.unlink(1, "x", 0));
  assert.equal(readFileSync(join(place, "elsewhere/x"), "utf8"), "secret");
});

test("devices, pipes and sockets are not made, and not opened", async () => {
  const { folder, client } = setUp();
  for (const type of [0o010000, 0o020000, 0o060000, 0o140000]) {
    fails("EPERM", () => client.mknod(0, "n", type | 0o600));
  }
  client.mknod(0, "n", 0o100600);
  assert.ok(lstatSync(join(folder, "n")).isFile());
  const { execFileSync } = await import("node:child_process");
  execFileSync("mkfifo", [join(folder, "pipe")]);
  client.walk(0, 1, "pipe");
  fails("EACCES", () => client.open(1, 0));
});

test("a read-only folder is not changed", () => {
  const { folder, client } = setUp(true);
  client.walk(0, 1, "f");
  fails("EROFS", () => client.open(1, P.OPEN.writeOnly));
  fails("EROFS", () => client.open(1, P.OPEN.truncate));
  for (const action of [
    () => client.setattr(1, P.SETATTR.mode, { mode: 0 }),
    () => client.setattr(1, P.SETATTR.size, { size: 0 }),
    () => client.setattr(1, P.SETATTR.mtime, {}),
    () => client.create(0, "n", 0, 0o600),
    () => client.mknod(0, "n", 0o100600),
    () => client.mkdir(0, "n", 0o700),
    () => client.symlink(0, "n", "f"),
    () => client.link(0, 1, "n"),
    () => client.unlink(0, "f", 0),
    () => client.unlink(0, "d", P.AT_REMOVEDIR),
    () => client.renameat(0, "f", 0, "g"),
  ]) {
    fails("EROFS", action);
  }
  client.open(1, 0);
  assert.equal(client.read(1, 0, 9).toString(), "hello");
  fails("EBADF", () => client.write(1, 0, Buffer.from("x")));
  assert.equal(readFileSync(join(folder, "f"), "utf8"), "hello");
  // Nor by a file that is open for reading.
  for (const valid of [P.SETATTR.mode, P.SETATTR.size, P.SETATTR.mtime])
    fails("EROFS", () => client.setattr(1, valid, {}));
});

test("files of one identity are one file", () => {
  const { folder, client } = setUp();
  linkSync(join(folder, "f"), join(folder, "same"));
  client.walk(0, 1, "f");
  client.walk(0, 2, "same");
  client.walk(0, 3, "d");
  assert.deepEqual(client.getattr(1).identity, client.getattr(2).identity);
  assert.notDeepEqual(client.getattr(1).identity, client.getattr(3).identity);
});

test("locks are granted, extended attributes are not there, flushes are answered", () => {
  const { client } = setUp();
  client.walk(0, 1, "f");
  client.open(1, 0);
  const lock =
    (type: number) =>
    (w: { u32(n: number): void; u8(n: number): void; u64(n: number): void; string(s: string): void }) => {
      w.u32(1);
      w.u8(type);
      if (type === P.LOCK.write) w.u32(1);
      w.u64(0);
      w.u64(100);
      w.u32(42);
      w.string("client");
    };
  assert.equal(client.call(T.lock, lock(P.LOCK.write)).u8(), P.LOCK.success);
  const answer = client.call(T.getlock, lock(P.LOCK.read));
  assert.deepEqual([answer.u8(), answer.u64(), answer.u64(), answer.u32(), answer.string()], [2, 0, 100, 42, "client"]);
  fails("EOPNOTSUPP", () => client.call(T.xattrwalk, (w) => w.u32(1)));
  fails("EOPNOTSUPP", () => client.call(T.xattrcreate, (w) => w.u32(1)));
  client.call(T.flush, (w) => w.u16(7));
});

test("statfs is of the host's file system", () => {
  const { client } = setUp();
  const answer = client.call(T.statfs, (w) => w.u32(0));
  assert.equal(answer.u32(), 0x01021997);
  assert.ok(answer.u32() > 0 && answer.u64() > 0);
});

test("a link's target is kept as it is", () => {
  const { folder, client } = setUp();
  client.symlink(0, "l", "/etc/passwd");
  assert.equal(readlinkSync(join(folder, "l")), "/etc/passwd");
  fails("EINVAL", () => client.symlink(0, "m", "a\0b"));
});

test("there is a limit to fids and open files", () => {
  const { client } = setUp();
  let number = 1;
  assert.throws(() => {
    for (; number < 0x2_0000; number++) client.walk(0, number);
  }, NinepError);
  assert.equal(number, 0x1_0000);
  client.version();
  client.attach(0);
  assert.throws(() => {
    for (number = 1; number < 0x2000; number++) {
      client.walk(0, number, "f");
      client.open(number, 0);
    }
  }, NinepError);
  assert.ok(number <= 0x1001);
  client.version();
});
