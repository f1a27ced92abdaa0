// The parameter block of a semihosting operation: 64-bit fields in the guest's memory, at X1 (Semihosting for AArch32 and AArch64, 4).

import type { PeState } from "../../cpu/pe-state.ts";
import { X } from "../../cpu/state-layout.ts";
import type { GuestAccess } from "../guest-access.ts";

/** The guest's memory, or a value in it, is not what the operation needs. */
export class BadParameter extends Error {
  override readonly name = "BadParameter";
}

/** Bytes that one call moves at most: a guest is told how many were left over. */
export const MOST_BYTES = 2 ** 20;
/** Bytes of the longest name or text that ends in a zero. */
const LONGEST_TEXT = 2 ** 16;
const PAGE = 4096;

export class Parameters {
  readonly #access: GuestAccess;
  readonly #state: PeState;

  constructor(access: GuestAccess, state: PeState) {
    this.#access = access;
    this.#state = state;
  }

  /** X1: the address of the block, or an operation's only operand. */
  get operand(): bigint {
    return (BigInt(this.#state.high(X + 8) >>> 0) << 32n) | BigInt(this.#state.word(X + 8) >>> 0);
  }

  /** Field `n` of the block. @throws BadParameter */
  field(n: number): bigint {
    const bytes = this.bytes(this.operand + BigInt(8 * n), 8);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  /** A field that is a number of bytes or a handle. @throws BadParameter when it is no exact number. */
  number(n: number): number {
    const value = Number(this.field(n));
    if (!Number.isSafeInteger(value)) throw new BadParameter();
    return value;
  }

  /** @throws BadParameter when not all of it can be read, or it is more than MOST_BYTES. */
  bytes(address: bigint, length: number): Uint8Array {
    if (length > MOST_BYTES) throw new BadParameter();
    const bytes = this.#access.read(this.#state, address, length, "read");
    if (bytes.length !== length) throw new BadParameter();
    return bytes;
  }

  /** @throws BadParameter when not all of it can be written. */
  store(address: bigint, bytes: Uint8Array): void {
    if (!this.#access.write(this.#state, address, bytes, "write")) throw new BadParameter();
  }

  storeNumbers(address: bigint, ...values: readonly bigint[]): void {
    const view = new DataView(new ArrayBuffer(8 * values.length));
    for (const [i, value] of values.entries()) view.setBigUint64(8 * i, value, true);
    this.store(address, new Uint8Array(view.buffer));
  }

  setField(n: number, value: bigint): void {
    this.storeNumbers(this.operand + BigInt(8 * n), value);
  }

  /** The bytes before the first zero. @throws BadParameter when there is none near. */
  textAt(address: bigint): Uint8Array {
    const pieces: number[] = [];
    while (pieces.length < LONGEST_TEXT) {
      const at = address + BigInt(pieces.length);
      const part = this.#access.read(this.#state, at, PAGE - Number(at & BigInt(PAGE - 1)), "read");
      if (part.length === 0) break;
      const end = part.indexOf(0);
      pieces.push(...part.subarray(0, end < 0 ? part.length : end));
      if (end >= 0) return Uint8Array.from(pieces);
    }
    throw new BadParameter();
  }
}
