// Fields of messages: little-endian integers and strings with their length before them.

import type { ByteString, FileTime } from "../../../bus/folder.ts";
import { ERRNO, FileError } from "./errno.ts";

/** Takes the fields of a message one after the other. @throws FileError EINVAL where the message ends too soon. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = at;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  /** Above 2^53 it is no longer exact, and larger than anything it may be either way. */
  u64(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
  }
  time(): FileTime {
    const at = this.#take(16);
    const seconds = this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 2 ** 32;
    const nanoseconds = this.#view.getUint32(at + 8, true);
    if (!Number.isSafeInteger(seconds) || nanoseconds >= 1e9) throw new FileError("EINVAL");
    return { seconds, nanoseconds };
  }
  string(): ByteString {
    const length = this.u16();
    let text = "";
    const end = this.#take(length) + length;
    for (let at = end - length; at < end; at++) text += String.fromCharCode(this.#bytes[at] as number);
    return text;
  }
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new FileError("EINVAL");
    this.#at += length;
    return at;
  }
}

/** Puts the fields of a message one after the other. @throws FileError EMSGSIZE where there is no room. */
export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where the next field goes: how long the message is. */
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
  }

  /** Bytes that there is room for. */
  get room(): number {
    return this.#bytes.length - this.at;
  }

  u8(value: number): void {
    this.#view.setUint8(this.#put(1), value);
  }
  u16(value: number): void {
    this.#view.setUint16(this.#put(2), value, true);
  }
  u32(value: number): void {
    this.#view.setUint32(this.#put(4), value, true);
  }
  /** Negative numbers in two's complement. */
  u64(value: number): void {
    const at = this.#put(8);
    const high = Math.floor(value / 2 ** 32);
    this.#view.setUint32(at, value - high * 2 ** 32, true);
    this.#view.setUint32(at + 4, high, true);
  }
  time({ seconds, nanoseconds }: FileTime): void {
    this.u64(seconds);
    this.u64(nanoseconds);
  }
  string(text: ByteString): void {
    this.u16(text.length);
    const at = this.#put(text.length);
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
  }
  /** Room for `length` bytes, to be filled by the caller; `skip` then makes them part of the message. */
  space(length: number): Uint8Array {
    return this.#bytes.subarray(this.at, this.at + Math.min(length, this.room));
  }
  skip(length: number): void {
    this.#put(length);
  }
  /** Sets an earlier field. */
  u32At(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  #put(length: number): number {
    const { at } = this;
    if (length > this.room) throw new FileError("EMSGSIZE");
    this.at += length;
    return at;
  }
}

/** Makes an error's answer of a message with that tag. @returns its length. */
export function errorMessage(reply: Uint8Array, type: number, tag: number, errno: number = ERRNO.EIO): number {
  const writer = new MessageWriter(reply, 0);
  writer.u32(11);
  writer.u8(type);
  writer.u16(tag);
  writer.u32(errno);
  return writer.at;
}
