// How an address is translated, step by step: the descriptors that the walker itself reads (vmsa/walk-notes.as.ts), in words.

import type { PeState } from "../../cpu/pe-state.ts";
import { ARG0 } from "../../cpu/state-layout.ts";
import { PAR_EL1 } from "../../cpu/sysreg-layout.ts";
import type { Native, NativeOutside } from "../../vmsa/native.ts";
import { bits64 } from "../profiling/guest-view.ts";

const NOTE_BYTES = 32;

export interface WalkStep {
  readonly stage: 1 | 2;
  readonly level: number;
  /** Where the descriptor is: as stage 1 has it (an intermediate address where there is a stage 2), and physically; hexadecimal. */
  readonly address: string;
  readonly physical: string;
  /** Hexadecimal. */
  readonly descriptor: string;
  readonly kind: "table" | "block" | "page" | "invalid";
  /** What its fields say. */
  readonly text: string;
}

export interface Walk {
  readonly steps: readonly WalkStep[];
  /** Hexadecimal; undefined: the access would fault. */
  readonly physical: string | undefined;
  /** Why, or with which memory attributes. */
  readonly outcome: string;
}

type WalkNative = Pick<Native, "addressTranslate"> & Pick<NativeOutside, "noteWalk" | "walkNotes">;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Walks for a read at the exception level `el` of a PE, without the guest's noticing. */
export function walkSteps(native: WalkNative, buffer: ArrayBufferLike, state: PeState, va: bigint, el: number): Walk {
  const argument = [state.word(ARG0), state.high(ARG0)] as const;
  const result = [state.word(PAR_EL1), state.high(PAR_EL1)] as const;
  state.set64(ARG0, Number(va & 0xffff_ffffn) | 0, Number((va >> 32n) & 0xffff_ffffn) | 0);
  native.noteWalk(1);
  native.addressTranslate(state.cpu, Math.max(el, 1), el, 0, 0, 0);
  const count = native.noteWalk(0);
  const par = bits64(state, PAR_EL1);
  state.set64(ARG0, ...argument);
  state.set64(PAR_EL1, ...result);
  const notes = new DataView(buffer, native.walkNotes(), count * NOTE_BYTES);
  const steps = Array.from({ length: count }, (_, i) => stepAt(notes, i * NOTE_BYTES));
  if (par & 1n) return { steps, physical: undefined, outcome: faultText(par) };
  const physical = (par & 0x000f_ffff_ffff_f000n) | (va & 0xfffn);
  return { steps, physical: hex(physical), outcome: attributesText(par) };
}

function stepAt(notes: DataView, at: number): WalkStep {
  const stage = notes.getInt32(at, true) as 1 | 2;
  const level = notes.getInt32(at + 4, true);
  const descriptor = notes.getBigUint64(at + 24, true);
  const kind = kindOf(descriptor, level);
  return {
    ...{ stage, level, kind },
    address: hex(notes.getBigUint64(at + 8, true)),
    physical: hex(notes.getBigUint64(at + 16, true)),
    descriptor: `0x${descriptor.toString(16).padStart(16, "0")}`,
    text: kind === "invalid" ? "bit 0 is 0" : stage === 1 ? stage1Text(descriptor, kind) : stage2Text(descriptor, kind),
  };
}

/** Arm ARM D8.3.1. */
function kindOf(descriptor: bigint, level: number): WalkStep["kind"] {
  if (!(descriptor & 1n)) return "invalid";
  if (level === 3) return descriptor & 2n ? "page" : "invalid";
  return descriptor & 2n ? "table" : "block";
}

const bit = (value: bigint, n: number): boolean => ((value >> BigInt(n)) & 1n) === 1n;
const output = (descriptor: bigint): string => `-> ${hex(descriptor & 0x0000_ffff_ffff_f000n)}`;
const names = (...parts: readonly (string | false)[]): string => parts.filter(Boolean).join(" ");
const SHAREABILITY = ["non-shareable", "reserved", "outer shareable", "inner shareable"];
const shareability = (descriptor: bigint): string => SHAREABILITY[Number((descriptor >> 8n) & 3n)] ?? "";

/** Arm ARM D8.3.1 and D8.3.2, with the permissions of a regime with two ranges. */
function stage1Text(d: bigint, kind: WalkStep["kind"]): string {
  if (kind === "table") {
    return names(
      output(d),
      bit(d, 59) && "PXNTable",
      bit(d, 60) && "UXNTable",
      bit(d, 61) && "APTable[0]",
      bit(d, 62) && "APTable[1]",
      bit(d, 63) && "NSTable",
    );
  }
  const access = `${bit(d, 7) ? "read-only" : "read/write"} for EL1${bit(d, 6) ? " and EL0" : ""}`;
  return names(
    `${output(d)};`,
    access,
    bit(d, 53) && "PXN",
    bit(d, 54) && "UXN",
    bit(d, 10) ? "AF" : "AF=0",
    bit(d, 11) && "nG",
    bit(d, 5) && "NS",
    bit(d, 50) && "GP",
    bit(d, 51) && "DBM",
    bit(d, 52) && "contiguous",
    `AttrIndx=${(d >> 2n) & 7n},`,
    shareability(d),
  );
}

const S2AP = ["no access", "read-only", "write-only", "read/write"];

/** Arm ARM D8.3.2, stage 2. */
function stage2Text(d: bigint, kind: WalkStep["kind"]): string {
  if (kind === "table") return output(d);
  return names(
    `${output(d)};`,
    S2AP[Number((d >> 6n) & 3n)] ?? "",
    ((d >> 53n) & 3n) !== 0n && `XN=${(d >> 53n) & 3n}`,
    bit(d, 10) ? "AF" : "AF=0",
    bit(d, 51) && "DBM",
    bit(d, 52) && "contiguous",
    `MemAttr=${(d >> 2n) & 15n},`,
    shareability(d),
  );
}

const FAULTS = ["address size fault", "translation fault", "access flag fault", "permission fault"];

/** PAR_EL1 of a failed translation (Arm ARM D24.2.146). */
function faultText(par: bigint): string {
  const status = Number((par >> 1n) & 0x3fn);
  const stage = bit(par, 9) ? "stage 2" : "stage 1";
  const walk = bit(par, 8) ? ", on the walk of stage 1" : "";
  const kind =
    status < 16
      ? FAULTS[status >> 2]
      : (status & 0x3c) === 0x14
        ? "external abort on a walk"
        : `status 0x${status.toString(16)}`;
  return `${kind}, level ${status & 3}, ${stage}${walk}`;
}

function attributesText(par: bigint): string {
  const attributes = Number(par >> 56n);
  const device = ["nGnRnE", "nGnRE", "nGRE", "GRE"];
  const type =
    (attributes & 0xf0) === 0
      ? `Device-${device[(attributes >> 2) & 3]}`
      : attributes === 0xff
        ? "Normal, write-back"
        : attributes === 0x44
          ? "Normal, non-cacheable"
          : "Normal";
  return `${type}, ${SHAREABILITY[Number((par >> 7n) & 3n)]}`;
}
