// Messages of 9P that make little sense, or a lot of it for somebody who wants to get out: to a session whose folder is in the host's file
// system, beside what nobody may see or touch.

import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteString } from "../../src/bus/folder.ts";
import { HEADER_BYTES, T } from "../../src/devices/virtio/9p/messages.ts";
import { Session } from "../../src/devices/virtio/9p/session.ts";
import { MessageWriter } from "../../src/devices/virtio/9p/wire.ts";
import { NodeFolder } from "../../src/hosts/node/shared-folder.ts";
import type { Random } from "../vectors/inputs.ts";

const ENDS: ReadonlySet<number> = new Set([T.version, T.attach, T.clunk, T.remove]);
const SECRET = "the secret of the neighbour";
const TYPES = Object.values(T);
/** As a path of the guest's may have them. */
const NAMES: readonly ByteString[] = ["a", "b", "c", "d", "f", "up", "out", "abs", "root", "loop", "new"];
const ODD_NAMES: readonly ByteString[] = [
  ...[
    ".",
    "..",
    "",
    "/",
    "a/b",
    "../secret",
    "/etc/passwd",
    "a\0b",
    "\xff\xfe",
    "..\\secret",
    "x".repeat(255),
    "x".repeat(256),
  ],
];
/** Where the first fids are at first, and again now and then. */
const PLACES: readonly (readonly ByteString[])[] = [[], ["a"], ["f"], ["a", "f"], ["up"], ["out"], ["abs"], ["root"]];
/** Fids that are open: a file, and a directory. */
const OPEN_FILE = PLACES.length;
const OPEN_DIRECTORY = PLACES.length + 1;
const FIDS = PLACES.length + 2;
/** Larger files would fill the host's disk. */
const SMALL = 0x1_0000;
/** Messages of a conversation. */
export const MESSAGES = 40;

export class NinepFuzzer {
  readonly #base = realpathSync(mkdtempSync(join(tmpdir(), "atoll-9p-fuzz-")));
  readonly #folder = join(this.#base, "shared");
  readonly #request = new Uint8Array(0x3000);
  readonly #reply = new Uint8Array(0x3000);
  #sessions: Session[] = [];

  constructor() {
    writeFileSync(join(this.#base, "secret"), SECRET);
    mkdirSync(join(this.#base, "neighbour"));
    writeFileSync(join(this.#base, "neighbour", "secret"), SECRET);
    this.restore();
  }

  /** To the folder as it was at first. */
  restore(): void {
    for (const session of this.#sessions) session.reset();
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(join(this.#folder, "a", "b"), { recursive: true });
    writeFileSync(join(this.#folder, "f"), "a file");
    writeFileSync(join(this.#folder, "a", "f"), "another");
    symlinkSync("..", join(this.#folder, "up"));
    symlinkSync("../secret", join(this.#folder, "out"));
    symlinkSync(join(this.#base, "neighbour"), join(this.#folder, "abs"));
    symlinkSync("/", join(this.#folder, "root"));
    symlinkSync("loop", join(this.#folder, "loop"));
    // Two guests in one folder, of whom one does not know what the other does.
    this.#sessions = [
      new Session(new NodeFolder(this.#folder, false)),
      new Session(new NodeFolder(this.#folder, false)),
    ];
  }

  /** One conversation. @throws what a session throws, or an Error that says what has got out. */
  conversation(random: Random): void {
    for (const session of this.#sessions) this.#greet(session);
    for (let i = 0; i < MESSAGES; i++) this.#say(random.pick(this.#sessions), random);
    this.check();
  }

  /** @throws when something outside is not as it was. */
  check(): void {
    const found = readdirSync(this.#base).sort().join();
    if (found !== "neighbour,secret,shared") throw new Error(`beside the folder there is ${found}`);
    if (readdirSync(join(this.#base, "neighbour")).join() !== "secret")
      throw new Error("the neighbour's folder has changed");
    for (const file of ["secret", "neighbour/secret"]) {
      if (readFileSync(join(this.#base, file), "utf8") !== SECRET) throw new Error(`${file} has changed`);
      if (lstatSync(join(this.#base, file)).nlink !== 1) throw new Error(`${file} has another name`);
    }
  }

  close(): void {
    for (const session of this.#sessions) session.reset();
    rmSync(this.#base, { recursive: true, force: true });
  }

  #greet(session: Session): void {
    this.#send(session, T.version, (w) => {
      w.u32(0x2000);
      w.string("9P2000.L");
    });
    this.#send(session, T.attach, (w) => {
      w.u32(0);
      w.u32(0xffff_ffff);
      w.string("");
      w.string("");
      w.u32(0);
    });
    for (const fid of [OPEN_FILE, OPEN_DIRECTORY]) this.#send(session, T.clunk, (w) => w.u32(fid));
    for (const [fid, names] of [...PLACES, ["f"], ["a"]].entries()) {
      if (fid === 0) continue;
      this.#send(session, T.walk, (w) => {
        w.u32(0);
        w.u32(fid);
        w.u16(names.length);
        for (const name of names) w.string(name);
      });
    }
    for (const [fid, flags] of [
      [OPEN_FILE, 2],
      [OPEN_DIRECTORY, 0],
    ] as const) {
      this.#send(session, T.lopen, (w) => {
        w.u32(fid);
        w.u32(flags);
      });
    }
  }

  #say(session: Session, random: Random): void {
    if (random.below(12) === 0) {
      const length = random.below(64);
      for (let i = 0; i < length; i++) this.#request[i] = random.u32();
      this.#handle(session, length);
      return;
    }
    if (random.below(12) === 0) this.#greet(session);
    let type: number = random.pick(TYPES);
    // Few of these: they end what has been reached.
    if (ENDS.has(type) && random.below(8) > 0) type = random.pick([T.walk, T.lopen, T.lcreate, T.renameat]);
    this.#send(session, type, (w) => fields(type, w, random), random);
  }

  #send(session: Session, type: number, put: (writer: MessageWriter) => void, random?: Random): void {
    const writer = new MessageWriter(this.#request, HEADER_BYTES);
    put(writer);
    const length = writer.at;
    writer.at = 0;
    writer.u32(random?.below(30) === 0 ? random.pick([0, 6, 7, length - 1, length + 1, random.u32()]) : length);
    writer.u8(type);
    writer.u16(random?.below(0x10000) ?? 0);
    // Now and then bytes that are something else.
    if (random?.below(10) === 0)
      this.#request[HEADER_BYTES + random.below(Math.max(1, length - HEADER_BYTES))] = random.u32();
    this.#handle(session, random?.below(30) === 0 ? random.below(length + 1) : length);
  }

  #handle(session: Session, length: number): void {
    const done = session.handle(this.#request.subarray(0, length), this.#reply);
    if (done > this.#reply.length || (done !== 0 && done < HEADER_BYTES)) throw new Error(`an answer of ${done} bytes`);
    if (Buffer.from(this.#reply.buffer, 0, done).includes(SECRET)) throw new Error("the secret has got out");
  }
}

function fields(type: number, w: MessageWriter, random: Random): void {
  const fid = (): void => w.u32(random.below(20) === 0 ? random.u32() : random.below(FIDS));
  const name = (): void => w.string(random.pick(random.below(4) === 0 ? ODD_NAMES : NAMES));
  const small = (): void => w.u64(random.below(20) === 0 ? 2 ** random.below(64) : random.below(SMALL));
  const mode = (): void =>
    w.u32(random.below(4) === 0 ? random.u32() : random.pick([0o644, 0o755, 0o100644, 0o040755, 0o6777]));
  const flags = (): void =>
    w.u32(random.below(6) === 0 ? random.u32() : random.pick([0, 1, 2, 0o1002, 0o200, 0o2001, 0o200000]));
  const fidsAndNames: Readonly<Record<number, string>> = {
    [T.statfs]: "f",
    [T.lopen]: "fo",
    [T.lcreate]: "fnomu",
    [T.symlink]: "fnnu",
    [T.mknod]: "fnmuuu",
    [T.rename]: "ffn",
    [T.readlink]: "f",
    [T.getattr]: "fs",
    [T.readdir]: "fsc",
    [T.fsync]: "fu",
    [T.link]: "ffn",
    [T.mkdir]: "fnmu",
    [T.renameat]: "fnfn",
    [T.unlinkat]: "fnd",
    [T.read]: "fsc",
    [T.clunk]: "f",
    [T.remove]: "f",
    [T.version]: "cn",
    [T.attach]: "fbnnu",
    [T.xattrwalk]: "ffn",
    [T.xattrcreate]: "fnsu",
    [T.lock]: "ftussun",
    [T.getlock]: "ftssun",
    [T.flush]: "t",
    [T.auth]: "fnnu",
  };
  if (type === T.walk) {
    fid();
    fid();
    const count = random.below(4);
    w.u16(random.below(20) === 0 ? random.below(0x10000) : count);
    for (let i = 0; i < count; i++) name();
    return;
  }
  if (type === T.write) {
    fid();
    small();
    const length = random.below(64);
    w.u32(random.below(20) === 0 ? random.u32() : length);
    w.skip(length);
    return;
  }
  if (type === T.setattr) {
    fid();
    // Owners are what the guest may not change; sizes stay small.
    w.u32(random.below(4) === 0 ? random.below(0x200) : random.pick([1, 8, 0x10, 0x30, 0x1b0]));
    mode();
    w.u32(random.below(3));
    w.u32(random.below(3));
    w.u64(random.below(SMALL));
    for (let i = 0; i < 4; i++) small();
    return;
  }
  for (const kind of fidsAndNames[type] ?? "") {
    if (kind === "f") fid();
    else if (kind === "n") name();
    else if (kind === "m") mode();
    else if (kind === "o") flags();
    else if (kind === "s") small();
    else if (kind === "d") w.u32(random.pick([0, 0x200]));
    else if (kind === "c") w.u32(random.below(10) === 0 ? random.u32() : random.below(0x2000));
    else if (kind === "t") w.u8(random.below(4));
    else w.u32(random.below(10) === 0 ? random.u32() : random.below(4));
  }
}
