// A client of 9P2000.L for tests: messages to a session, answers as values.

import type { ByteString } from "../../src/bus/folder.ts";
import * as P from "../../src/devices/virtio/9p/messages.ts";
import type { Session } from "../../src/devices/virtio/9p/session.ts";
import { MessageReader, MessageWriter } from "../../src/devices/virtio/9p/wire.ts";

const { T } = P;

export class NinepError extends Error {
  readonly errno: number;
  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

export interface Entry {
  readonly name: ByteString;
  readonly offset: number;
  readonly type: number;
}

export class NinepClient {
  readonly #session: Session;
  readonly #request = new Uint8Array(P.MSIZE_MAX);
  readonly #reply = new Uint8Array(P.MSIZE_MAX);
  #tag = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** @returns what follows the header of the answer. @throws NinepError for Rlerror. */
  call(type: number, fields: (writer: MessageWriter) => void): MessageReader {
    const tag = this.#tag++ & 0xffff;
    const writer = new MessageWriter(this.#request, P.HEADER_BYTES);
    fields(writer);
    const length = writer.at;
    writer.at = 0;
    writer.u32(length);
    writer.u8(type);
    writer.u16(tag);
    const done = this.#session.handle(this.#request.subarray(0, length), this.#reply);
    const reader = new MessageReader(this.#reply.subarray(0, done), 0);
    const [size, answer, answered] = [reader.u32(), reader.u8(), reader.u16()];
    if (size !== done || answered !== tag) throw new Error(`${size} of ${done} bytes, tag ${answered} for ${tag}`);
    if (answer === P.R_LERROR) throw new NinepError(reader.u32());
    if (answer !== type + 1) throw new Error(`answer ${answer} to ${type}`);
    return reader;
  }

  version(version: string = P.VERSION, msize = P.MSIZE_MAX): { msize: number; version: string } {
    const answer = this.call(T.version, (w) => {
      w.u32(msize);
      w.string(version);
    });
    return { msize: answer.u32(), version: answer.string() };
  }

  attach(fid: number, user = 0): void {
    this.call(T.attach, (w) => {
      w.u32(fid);
      w.u32(P.NONE);
      w.string("nobody");
      w.string("");
      w.u32(user);
    });
  }

  /** @returns the types of the qids that were found. */
  walk(from: number, to: number, ...names: ByteString[]): number[] {
    const answer = this.call(T.walk, (w) => {
      w.u32(from);
      w.u32(to);
      w.u16(names.length);
      for (const name of names) w.string(name);
    });
    return Array.from({ length: answer.u16() }, () => qidType(answer));
  }

  open(fid: number, flags: number): void {
    this.call(T.lopen, (w) => {
      w.u32(fid);
      w.u32(flags);
    });
  }

  create(fid: number, name: ByteString, flags: number, mode: number): void {
    this.call(T.lcreate, (w) => {
      w.u32(fid);
      w.string(name);
      w.u32(flags);
      w.u32(mode);
      w.u32(0);
    });
  }

  read(fid: number, offset: number, count: number): Buffer {
    const answer = this.call(T.read, (w) => {
      w.u32(fid);
      w.u64(offset);
      w.u32(count);
    });
    return Buffer.from(answer.bytes(answer.u32()));
  }

  write(fid: number, offset: number, data: Uint8Array): number {
    return this.call(T.write, (w) => {
      w.u32(fid);
      w.u64(offset);
      w.u32(data.length);
      w.space(data.length).set(data);
      w.skip(data.length);
    }).u32();
  }

  readdir(fid: number, offset: number, count: number): Entry[] {
    const answer = this.call(T.readdir, (w) => {
      w.u32(fid);
      w.u64(offset);
      w.u32(count);
    });
    const entries: Entry[] = [];
    answer.u32();
    while (answer.left > 0) {
      qidType(answer);
      const next = answer.u64();
      const type = answer.u8();
      entries.push({ offset: next, type, name: answer.string() });
    }
    return entries;
  }

  /** The whole directory, in answers of `count` bytes. */
  list(fid: number, count: number): Entry[] {
    const all: Entry[] = [];
    for (let offset = 0; ; offset = all.at(-1)?.offset ?? 0) {
      const part = this.readdir(fid, offset, count);
      if (part.length === 0) return all;
      all.push(...part);
    }
  }

  getattr(fid: number) {
    const answer = this.call(T.getattr, (w) => {
      w.u32(fid);
      w.u64(P.GETATTR_BASIC);
    });
    answer.u64();
    qidStart(answer);
    const identity = [answer.u32(), answer.u32()];
    const [mode, uid, gid] = [answer.u32(), answer.u32(), answer.u32()];
    const [links, , size] = [answer.u64(), answer.u64(), answer.u64()];
    answer.u64();
    answer.u64();
    answer.time();
    return { identity, mode, uid, gid, links, size, modified: answer.time().seconds };
  }

  setattr(
    fid: number,
    valid: number,
    to: { mode?: number; uid?: number; gid?: number; size?: number; accessed?: number; modified?: number },
  ): void {
    this.call(T.setattr, (w) => {
      for (const value of [fid, valid, to.mode ?? 0, to.uid ?? 0, to.gid ?? 0]) w.u32(value);
      for (const value of [to.size ?? 0, to.accessed ?? 0, 0, to.modified ?? 0, 0]) w.u64(value);
    });
  }

  mkdir(fid: number, name: ByteString, mode: number): void {
    this.call(T.mkdir, (w) => {
      w.u32(fid);
      w.string(name);
      w.u32(mode);
      w.u32(0);
    });
  }

  mknod(fid: number, name: ByteString, mode: number): void {
    this.call(T.mknod, (w) => {
      w.u32(fid);
      w.string(name);
      for (const value of [mode, 0, 0, 0]) w.u32(value);
    });
  }

  symlink(fid: number, name: ByteString, target: ByteString): void {
    this.call(T.symlink, (w) => {
      w.u32(fid);
      w.string(name);
      w.string(target);
      w.u32(0);
    });
  }

  readlink(fid: number): ByteString {
    return this.call(T.readlink, (w) => w.u32(fid)).string();
  }

  link(directory: number, fid: number, name: ByteString): void {
    this.call(T.link, (w) => {
      w.u32(directory);
      w.u32(fid);
      w.string(name);
    });
  }

  rename(fid: number, directory: number, name: ByteString): void {
    this.call(T.rename, (w) => {
      w.u32(fid);
      w.u32(directory);
      w.string(name);
    });
  }

  renameat(from: number, old: ByteString, to: number, name: ByteString): void {
    this.call(T.renameat, (w) => {
      w.u32(from);
      w.string(old);
      w.u32(to);
      w.string(name);
    });
  }

  unlink(directory: number, name: ByteString, flags: number): void {
    this.call(T.unlinkat, (w) => {
      w.u32(directory);
      w.string(name);
      w.u32(flags);
    });
  }

  remove(fid: number): void {
    this.call(T.remove, (w) => w.u32(fid));
  }

  clunk(fid: number): void {
    this.call(T.clunk, (w) => w.u32(fid));
  }
}

function qidStart(answer: MessageReader): number {
  const type = answer.u8();
  answer.u32();
  return type;
}

function qidType(answer: MessageReader): number {
  const type = qidStart(answer);
  answer.u64();
  return type;
}
