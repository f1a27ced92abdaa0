// Runs a program on a machine and says how it ended, in a form that can be compared.

import { disassemble } from "../../src/a64/disassembler.ts";
import { CF, FPSR, INSTRUCTIONS, NF, PC, SP, V, VF, X, ZF } from "../../src/cpu/state-layout.ts";
import { fillMemory } from "../vectors/inputs.ts";
import { NOP } from "./assembler.ts";
import { DATA, DATA_BYTES, EXECUTABLE_ALIAS, LOG_BYTES, LOGGED, prepare, READ_ONLY_BYTES } from "./environment.ts";
import type { Program } from "./program.ts";
import { peek, poke, type Rig } from "./rig.ts";

export interface Outcome {
  /** The program came to its end, or to that of the vectors' patience. */
  readonly ended: boolean;
  /** Values by name. */
  readonly registers: Readonly<Record<string, string>>;
  readonly instructions: number;
  /** Number of exceptions. */
  readonly exceptions: number;
  readonly data: Uint8Array;
  readonly log: Uint8Array;
}

const data = new Int32Array((DATA_BYTES + READ_ONLY_BYTES) / 4);
const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

/** `turns`: milliseconds of the rig's clock, of which there is one in every few slices. */
export function run(rig: Rig, program: Program, turns: number): Outcome {
  rig.machine.reset();
  prepare(rig, program.environment, program.context, program.start);
  poke(rig, program.start & ~EXECUTABLE_ALIAS, program.words);
  fillMemory(data, program.dataSeed);
  poke(rig, DATA, data);
  const state = rig.states[0] as Rig["states"][number];
  const before = state.number(INSTRUCTIONS);
  let ended = false;
  for (let i = 0; i < turns && !ended; i++) ended = rig.machine.run(1).kind === "idle";
  const slot = (offset: number): string => hex(state.high(offset)) + hex(state.word(offset));
  const registers: Record<string, string> = {};
  for (let i = 0; i < 31; i++) registers[`x${i}`] = slot(X + 8 * i);
  registers.sp = slot(SP);
  registers.pc = slot(PC);
  const flag = (set: boolean, name: string): string => (set ? name : "-");
  registers.nzcv =
    flag(state.word(NF) < 0, "N") +
    flag(state.word(ZF) === 0, "Z") +
    flag((state.word(CF) & 1) !== 0, "C") +
    flag(state.word(VF) < 0, "V");
  for (let i = 0; i < 32; i++) registers[`v${i}`] = slot(V + 16 * i + 8) + slot(V + 16 * i);
  registers.fpsr = hex(state.word(FPSR));
  const log = peek(rig, LOGGED, LOG_BYTES);
  return {
    ...{ ended, registers, log },
    instructions: state.number(INSTRUCTIONS) - before,
    exceptions: new DataView(log.buffer).getUint32(0, true),
    data: peek(rig, DATA, data.byteLength),
  };
}

/** What differs, one line each; empty: nothing. */
export function differences(a: Outcome, b: Outcome): string[] {
  const lines: string[] = [];
  const compare = (name: string, left: unknown, right: unknown): void => {
    if (left !== right) lines.push(`${name}: ${left} and ${right}`);
  };
  compare("ended", a.ended, b.ended);
  for (const [name, value] of Object.entries(a.registers)) compare(name, value, b.registers[name]);
  compare("instructions", a.instructions, b.instructions);
  compare("exceptions", a.exceptions, b.exceptions);
  const bytes = (name: string, left: Uint8Array, right: Uint8Array): void => {
    if (Buffer.compare(left, right) === 0) return;
    const at = left.findIndex((byte, i) => byte !== right[i]) & ~7;
    const show = (from: Uint8Array): string => Buffer.from(from.subarray(at, at + 16)).toString("hex");
    lines.push(`${name} + 0x${at.toString(16)}: ${show(left)} and ${show(right)}`);
  };
  bytes("data", a.data, b.data);
  bytes("log", a.log, b.log);
  return lines;
}

/** A program that still makes a difference, with as many instructions as possible made NOPs. */
export function minimize(program: Program, differs: (p: Program) => boolean): Program {
  let words = [...program.words];
  for (let size = words.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < words.length - 2; at += size) {
      const fewer = words.map((word, i) => (i >= at && i < at + size && i < words.length - 2 ? NOP : word));
      if (fewer.some((word, i) => word !== words[i]) && differs({ ...program, words: fewer })) words = fewer;
    }
  }
  return { ...program, words };
}

export function listing({ words, start }: Program): string {
  return words
    .map((word, i) => ({ word, pc: start + 4 * i }))
    .filter(({ word }) => word !== NOP)
    .map(({ word, pc }) => `${hex(pc)}  ${hex(word)}  ${disassemble(word, pc)}`)
    .join("\n");
}
