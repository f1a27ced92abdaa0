// The requests m, M and X: memory by virtual address in the regime of a PE, or by physical address.

import { latin1 } from "../../base/text.ts";
import type { Debugger } from "./debugger.ts";
import { fromHex, PACKET_BYTES, toHex } from "./packets.ts";

const ERROR_REQUEST = "E16";
const ERROR_NOT_THERE = "E0e";

/** Bytes that one reply has room for. */
const MOST = (PACKET_BYTES >> 1) - 4;

const DEVICE_HELP =
  "device-access on, device-access off: whether the debugger may access device registers, with all that follows\n";

export class MemoryPackets {
  /** Addresses are physical ones. */
  physical = false;
  /** Whether device registers are read and written, which may change the devices. */
  devices = false;
  readonly #debugger: Debugger;

  constructor(target: Debugger) {
    this.#debugger = target;
  }

  /** `m`'s operand: ADDRESS,LENGTH. The reply may be shorter than what was asked for. */
  read(cpu: number, text: string): string {
    const [address, length] = range(text) ?? [];
    if (address === undefined || length === undefined) return ERROR_REQUEST;
    if (length === 0) return "";
    const bytes = this.#read(cpu, address, Math.min(length, MOST));
    return bytes.length === 0 ? ERROR_NOT_THERE : toHex(bytes);
  }

  /** `M`'s operand: ADDRESS,LENGTH:DIGITS. */
  write(cpu: number, text: string): string {
    const colon = text.indexOf(":");
    const [address, length] = range(text.slice(0, colon)) ?? [];
    const bytes = fromHex(text.slice(colon + 1));
    if (colon < 0 || address === undefined || bytes === undefined || bytes.length !== length) return ERROR_REQUEST;
    return this.#write(cpu, address, bytes);
  }

  /** A whole X packet: XADDRESS,LENGTH:BYTES. */
  writeBinary(cpu: number, body: Uint8Array): string {
    const colon = body.indexOf(0x3a);
    const [address, length] = range(latin1(body.subarray(1, Math.max(1, colon)))) ?? [];
    const bytes = body.subarray(colon + 1);
    if (colon < 0 || address === undefined || bytes.length !== length) return ERROR_REQUEST;
    return this.#write(cpu, address, bytes);
  }

  /** Executes a monitor command of the debugger's own; undefined: it is none. */
  command(line: string): string | undefined {
    const words = line.trim().split(/\s+/);
    if (words[0] !== "device-access") return undefined;
    if (words[1] !== "on" && words[1] !== "off") return DEVICE_HELP;
    this.devices = words[1] === "on";
    return "";
  }

  #stateOf(cpu: number) {
    return this.physical ? undefined : this.#debugger.registers[cpu]?.state;
  }

  #read(cpu: number, address: bigint, length: number): Uint8Array {
    const { access } = this.#debugger;
    const bytes = new Uint8Array(length);
    let have = 0;
    for (const piece of access.pieces(this.#stateOf(cpu), address, length, "look")) {
      const part = access.readPhysical(piece.pa, piece.length) ?? this.#readDevice(cpu, piece.pa, piece.length);
      if (part === undefined) break;
      bytes.set(part, have);
      have += part.length;
      if (part.length < piece.length) break;
    }
    return bytes.subarray(0, have);
  }

  #write(cpu: number, address: bigint, bytes: Uint8Array): string {
    if (bytes.length === 0) return "OK";
    const { access } = this.#debugger;
    const state = this.#stateOf(cpu);
    if (access.write(state, address, bytes, "look")) return "OK";
    const pieces = [...access.pieces(state, address, bytes.length, "look")];
    const [piece] = pieces;
    if (!this.devices || pieces.length !== 1 || piece?.length !== bytes.length) return ERROR_NOT_THERE;
    return this.#writeDevice(cpu, piece.pa, bytes) ? "OK" : ERROR_NOT_THERE;
  }

  /** Registers in accesses as wide as they can be. */
  #readDevice(cpu: number, pa: number, length: number): Uint8Array | undefined {
    if (!this.devices || !Number.isSafeInteger(pa)) return undefined;
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const unit = unitOf(pa + at, length - at);
      const value = this.#debugger.readDevice(cpu, pa + at, unit);
      if (value === undefined) return at === 0 ? undefined : bytes.subarray(0, at);
      for (let i = 0; i < unit; i++) bytes[at + i] = value >>> (8 * i);
      at += unit;
    }
    return bytes;
  }

  #writeDevice(cpu: number, pa: number, bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      const unit = unitOf(pa + at, bytes.length - at);
      let value = 0;
      for (let i = 0; i < unit; i++) value |= (bytes[at + i] as number) << (8 * i);
      if (!this.#debugger.writeDevice(cpu, pa + at, unit, value >>> 0)) return false;
      at += unit;
    }
    return true;
  }
}

function unitOf(pa: number, left: number): 1 | 2 | 4 {
  if (pa % 4 === 0 && left >= 4) return 4;
  return pa % 2 === 0 && left >= 2 ? 2 : 1;
}

/** ADDRESS,LENGTH. */
function range(text: string): readonly [bigint, number] | undefined {
  const [, address, length] = /^([0-9a-f]{1,16}),([0-9a-f]{1,8})$/i.exec(text) ?? [];
  if (address === undefined || length === undefined) return undefined;
  return [BigInt(`0x${address}`), Number.parseInt(length, 16)];
}
