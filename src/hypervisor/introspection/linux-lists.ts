// What runs in a Linux guest, from its lists. A guest may have made anything of them: each has an end here, and says why it ended.

import { BadInput } from "../../machine/runnable.ts";
import type { LinuxKernel } from "./linux-kernel.ts";

const MOST_TASKS = 65_536;
const MOST_MODULES = 4096;
const COMM_BYTES = 16;
const MODULE_NAME_BYTES = 56;
/** task_struct.flags. */
const PF_KTHREAD = 0x0020_0000;
const ADDRESS_OF_KERNEL = 1n << 63n;

export interface GuestProcess {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** As ps(1) says it: R running, S sleeping, D not to be interrupted, I idle, T stopped, t traced, Z zombie, X dead, P parked; or ?. */
  readonly state: string;
  readonly kernel: boolean;
}

export interface GuestModule {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly state: "live" | "coming" | "going" | "unformed" | "unknown";
  /** Of its struct module. */
  readonly address: bigint;
}

export interface Listing<Item> {
  readonly items: readonly Item[];
  /** Why there may be more; undefined: these are all. */
  readonly broken: string | undefined;
}

/** The structures in a list of struct list_head, without its head. */
function* walk(kernel: LinuxKernel, head: bigint, offset: number, most: number): Generator<bigint, string | undefined> {
  const seen = new Set<bigint>([head]);
  let before = head;
  for (let entry = kernel.space.number(head, 8); entry !== head; entry = kernel.space.number(before, 8)) {
    if (entry === undefined) return "a pointer in the list leads to no memory";
    if ((entry & 7n) !== 0n || entry < ADDRESS_OF_KERNEL) return "a pointer in the list is no address of the kernel's";
    if (seen.has(entry)) return "the list leads back into itself";
    if (seen.size > most) return `the list has more than ${most} entries`;
    if (kernel.space.number(entry + 8n, 8) !== before)
      return "an entry of the list does not lead back to the one before";
    seen.add(entry);
    yield entry - BigInt(offset);
    before = entry;
  }
  return undefined;
}

function listing<Item>(entries: Generator<bigint, string | undefined>, read: (at: bigint) => Item | undefined) {
  const items: Item[] = [];
  for (;;) {
    const { value, done } = entries.next();
    if (done) return { items, broken: value };
    const item = read(value);
    if (item === undefined) return { items, broken: "an entry of the list is not in memory" };
    items.push(item);
  }
}

/** Processes: the first thread of each, and the kernel's own threads. @throws BadInput when the kernel's offsets or the list are not known. */
export function listProcesses(kernel: LinuxKernel): Listing<GuestProcess> {
  const offsets = kernel.task;
  const first = kernel.firstTask;
  if (first === undefined) throw new BadInput("the kernel's first task is not found: give the address of init_task");
  const { space } = kernel;
  const word = (at: bigint): number | undefined => {
    const value = space.number(at, 4);
    return value === undefined ? undefined : Number(BigInt.asIntN(32, value));
  };
  return listing(walk(kernel, first + BigInt(offsets.tasks), offsets.tasks, MOST_TASKS), (task) => {
    const pid = word(task + BigInt(offsets.pid));
    const state = word(task + BigInt(offsets.state));
    const exit = word(task + BigInt(offsets.exitState));
    const flags = word(task + BigInt(offsets.flags));
    const comm = space.read(task + BigInt(offsets.comm), COMM_BYTES);
    const parentTask = space.number(task + BigInt(offsets.parent), 8);
    if (pid === undefined || state === undefined || exit === undefined || flags === undefined || comm === undefined)
      return undefined;
    const parent = parentTask === undefined ? undefined : word(parentTask + BigInt(offsets.tgid));
    const kernelThread = (flags & PF_KTHREAD) !== 0;
    return { pid, parent: parent ?? -1, name: text(comm), state: letter(state, exit), kernel: kernelThread };
  });
}

/** @throws BadInput when the kernel's offsets or the list are not known. */
export function listModules(kernel: LinuxKernel): Listing<GuestModule> {
  const head = kernel.moduleList;
  if (head === undefined)
    throw new BadInput("the list of modules is not found: it is empty, or give the address of modules");
  const offsets = kernel.module;
  const { space } = kernel;
  return listing(walk(kernel, head, offsets.list, MOST_MODULES), (address) => {
    const name = space.read(address + BigInt(offsets.name), MODULE_NAME_BYTES);
    const state = space.number(address + BigInt(offsets.state), 4);
    if (name === undefined || state === undefined) return undefined;
    let size = 0;
    for (const at of offsets.sizes) size += Number(space.number(address + BigInt(at), 4) ?? 0n);
    const named = (["live", "coming", "going", "unformed"] as const)[Number(state)];
    return { name: text(name), size, state: named ?? "unknown", address };
  });
}

/** Up to its end, without what a terminal would do things for. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const shown = bytes.subarray(0, end < 0 ? bytes.length : end);
  return Array.from(shown, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?")).join("");
}

const TASK_NOLOAD = 0x400;
const UNINTERRUPTIBLE = 2;
/** By the lowest bit that is set in both states together, which are disjoint. */
const LETTERS = ["S", "D", "T", "t", "X", "Z", "P"];

function letter(state: number, exit: number): string {
  if ((state & (UNINTERRUPTIBLE | TASK_NOLOAD)) === (UNINTERRUPTIBLE | TASK_NOLOAD)) return "I";
  const both = (state | exit) & 0x7f;
  return both === 0 ? "R" : (LETTERS[31 - Math.clz32(both & -both)] ?? "?");
}
