// How the values of options are read. Each function throws BadInput that says what a good value is.

import type { Board, Disk, Load } from "../contract/definition.ts";
import { DISK_SERIAL } from "../contract/limits.ts";
import type { TcpAddress } from "../hosts/node/listen.ts";
import { FORMATS, type Format } from "../images/image.ts";
import { isControl } from "../machine/audit/controls.ts";
import { BadInput } from "../machine/runnable.ts";
import { TRACE_KINDS, type TraceKind, type TraceSelection } from "../machine/trace/options.ts";
import { parseTcpAddress } from "./tcp-address.ts";

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** A size in bytes: a number with the suffix K, M or G; M is meant where there is none, as in QEMU. A multiple of 4 KiB. */
export function size(least: number, most: number): (text: string) => number {
  return (text) => {
    const [, digits, unit] = /^(\d{1,12})([KMG]?)$/i.exec(text) ?? [];
    if (digits === undefined) throw new BadInput("give a number and K, M or G, such as 512M");
    const bytes = Number(digits) * (UNITS[(unit || "M").toUpperCase()] as number);
    if (bytes < least || bytes > most) throw new BadInput(`give ${short(least)} to ${short(most)}`);
    if (bytes % 4096 !== 0) throw new BadInput("give a multiple of 4K");
    return bytes;
  };
}

const short = (bytes: number): string => (bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}M` : `${bytes / 2 ** 10}K`);

/** A whole number. */
export function count(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw new BadInput(`give a number from ${least} to ${most}`);
    return value;
  };
}

/** Seconds, with a fraction or without. */
export function seconds(text: string): number {
  const value = /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0)) throw new BadInput("give a number of seconds above 0");
  return value;
}

/** One of some words. */
export function word<const W extends string>(...words: W[]): (text: string) => W {
  return (text) => {
    const found = words.find((w) => w === text);
    if (found === undefined) throw new BadInput(`give ${words.join(" or ")}`);
    return found;
  };
}

export function text(value: string): string {
  return value;
}

export function file(name: string): string {
  if (name === "") throw new BadInput("give the name of a file");
  return name;
}

/** `FILE[,format=FORMAT][,readonly][,snapshot][,serial=TEXT]`: what is no property belongs to the file's name. */
export function disk(value: string): Disk {
  let rest = value;
  let format: Format | undefined;
  let serial: string | undefined;
  const flags = new Set<string>();
  for (;;) {
    const [end, flag, name, given] = /,(?:(readonly|snapshot)|format=([^,]*)|serial=([^,]*))$/.exec(rest) ?? [];
    if (end === undefined) break;
    rest = rest.slice(0, -end.length);
    if (flag !== undefined) flags.add(flag);
    else if (given !== undefined) serial = diskSerial(given);
    else format = word(...FORMATS)(name as string);
  }
  return { file: file(rest), format, readOnly: flags.has("readonly"), snapshot: flags.has("snapshot"), serial };
}

function diskSerial(value: string): string {
  if (!DISK_SERIAL.test(value)) throw new BadInput("give a serial of at most 20 letters, digits and signs");
  return value;
}

/** `FILE@ADDRESS`, the address decimal, or hexadecimal with 0x. */
export function load(value: string): Load {
  const at = value.lastIndexOf("@");
  const digits = value.slice(at + 1);
  const address = /^(0x[0-9a-f]+|\d+)$/i.test(digits) ? Number(digits) : Number.NaN;
  if (at < 1 || !Number.isSafeInteger(address)) throw new BadInput("give FILE@ADDRESS, such as blob.bin@0x48000000");
  return { file: value.slice(0, at), address };
}

export interface Symbols {
  readonly file: string;
  /** What to add to its addresses. */
  readonly slide: bigint | undefined;
}

/** `FILE[@SLIDE]`, the slide hexadecimal with 0x, or decimal. */
export function symbols(value: string): Symbols {
  const [, name, slide] = /^(.+)@(0x[0-9a-f]{1,16}|\d{1,20})$/is.exec(value) ?? [];
  if (name === undefined || slide === undefined) return { file: file(value), slide: undefined };
  return { file: name, slide: BigInt(slide) };
}

/** What each property of the board may be. */
const BOARD_PROPERTIES: ReadonlyMap<string, readonly string[]> = new Map([
  ["gic-version", ["2", "3"]],
  ["virtualization", ["on", "off"]],
  ["secure", ["on", "off"]],
]);

/** `virt[,gic-version=2|3][,virtualization=on|off][,secure=on|off]`, in any order. */
export function board(value: string): Board {
  const [name, ...properties] = value.split(",");
  if (name !== "virt") throw new BadInput("give virt, the one board there is, as in virt,gic-version=3");
  const values = new Map<string, string>();
  for (const property of properties) {
    const [, key, given] = /^([^=]*)=?(.*)$/s.exec(property) as unknown as [string, string, string];
    const known = BOARD_PROPERTIES.get(key);
    if (known === undefined) throw new BadInput(`the properties are ${[...BOARD_PROPERTIES.keys()].join(", ")}`);
    if (!known.includes(given)) throw new BadInput(`give ${known.map((v) => `${key}=${v}`).join(" or ")}`);
    if (values.has(key)) throw new BadInput(`${key} is there twice`);
    values.set(key, given);
  }
  const isOn = (key: string): boolean => values.get(key) === "on";
  return {
    gicVersion: values.get("gic-version") === "2" ? 2 : 3,
    virtualization: isOn("virtualization"),
    secure: isOn("secure"),
  };
}

/** `[HOST]:PORT`, as QEMU's has it. */
export function gdbAddress(value: string): TcpAddress {
  const address = value.includes(":") ? parseTcpAddress(value.replace(/^tcp:/, "")) : undefined;
  if (address === undefined) throw new BadInput("give [HOST]:PORT, such as :1234");
  return address;
}

export interface SemihostingOption {
  /** The directory whose files a guest may use. */
  readonly directory: string | undefined;
}

/** Nothing, or `dir=PATH`. */
export function semihosting(value: string): SemihostingOption {
  if (value === "") return { directory: undefined };
  const [, directory] = /^dir=(.+)$/s.exec(value) ?? [];
  if (directory === undefined) throw new BadInput("give nothing, or dir=PATH");
  return { directory };
}

/** `KIND,...`, with elN and cpuN in any place. */
export function trace(value: string): TraceSelection {
  const kinds = new Set<TraceKind>();
  const levels = new Set<number>();
  const cpus = new Set<number>();
  for (const name of value.split(",")) {
    const kind = TRACE_KINDS.find((k) => k === name);
    const [, what, digits] = /^(el(?=[0-3]$)|cpu)(\d{1,3})$/.exec(name) ?? [];
    if (kind !== undefined) kinds.add(kind);
    else if (what !== undefined) (what === "el" ? levels : cpus).add(Number(digits));
    else throw new BadInput(`give some of ${TRACE_KINDS.join(",")}, with el0 to el3 or cpu0 to cpu<N> to narrow them`);
  }
  if (kinds.size === 0) throw new BadInput(`say what to trace: some of ${TRACE_KINDS.join(",")}`);
  return { kinds, levels, cpus };
}

/** `CONTROL,...`: control bits of EL2's, such as HCR_EL2.TTLB. */
export function controls(value: string): string[] {
  const names = value.split(",");
  for (const name of names) {
    if (!isControl(name)) throw new BadInput(`${name} is no trap of EL2's; give names such as HCR_EL2.TTLB`);
  }
  return names;
}
