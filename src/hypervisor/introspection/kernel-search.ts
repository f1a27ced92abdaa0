// What a kernel without symbols of its data (CONFIG_KALLSYMS_ALL) has all the same, found by what it must look like.

import type { GuestAddressSpace } from "./address-space.ts";

/** A kernel's image as it lies in memory. */
export interface KernelImage {
  readonly bytes: Uint8Array;
  /** The address of its first byte. */
  readonly at: bigint;
  readonly space: GuestAddressSpace;
}

/** Modules are as near to the kernel as its branches reach. */
const NEAR = 1n << 32n;
const MOST_CANDIDATES = 300_000;
/** Places that look like a task or a table. */
const MOST_TRIES = 10_000;
/** Numbers of system calls (include/uapi/asm-generic/unistd.h). */
const NR = { read: 63, write: 64, getpid: 172 } as const;
const MOST_CALLS = 1024;

const viewOf = ({ bytes }: KernelImage): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** The task of the first CPU's idle thread: its name, in a list that leads back to it, and number 0. */
export function searchFirstTask(
  image: KernelImage,
  { comm, tasks, pid }: { readonly comm: number; readonly tasks: number; readonly pid: number },
): bigint | undefined {
  const { bytes, space } = image;
  const name = new TextEncoder().encode("swapper");
  const initial = name[0] as number;
  let tries = MOST_TRIES;
  for (let at = bytes.indexOf(initial); at >= 0 && tries > 0; at = bytes.indexOf(initial, at + 1)) {
    if (!name.every((byte, i) => bytes[at + i] === byte) || at < comm) continue;
    tries--;
    const task = image.at + BigInt(at - comm);
    const head = task + BigInt(tasks);
    const next = space.number(head, 8);
    if ((task & 7n) !== 0n || next === undefined || next === head || space.number(next + 8n, 8) !== head) continue;
    if (space.number(task + BigInt(pid), 4) === 0n) return task;
  }
  return undefined;
}

/** The head of the list of modules: in the image, and the first module outside of it, near, leads back to it and has a name. */
export function searchModules(
  image: KernelImage,
  { list, name, state }: { readonly list: number; readonly name: number; readonly state: number },
): bigint | undefined {
  const view = viewOf(image);
  const { space } = image;
  const end = image.at + BigInt(view.byteLength);
  const highs = new Set(
    [image.at - NEAR, image.at, image.at + NEAR].map((each) => Number((each >> 32n) & 0xffff_ffffn)),
  );
  let left = MOST_CANDIDATES;
  for (let at = 0; at + 16 <= view.byteLength && left > 0; at += 8) {
    if (!highs.has(view.getUint32(at + 4, true)) || (view.getUint32(at, true) & 7) !== 0) continue;
    const first = view.getBigUint64(at, true);
    if (first >= image.at && first < end) continue;
    left--;
    if (space.number(first + 8n, 8) !== image.at + BigInt(at)) continue;
    const module = first - BigInt(list);
    const text = space.read(module + BigInt(name), 56);
    const length = text?.indexOf(0) ?? 0;
    if (length < 1 || !text?.subarray(0, length).every(isOfName)) continue;
    const found = space.number(module + BigInt(state), 4);
    if (found !== undefined && found < 4n) return image.at + BigInt(at);
  }
  return undefined;
}

/** Of a module: letters, digits and low lines. */
const isOfName = (byte: number): boolean => /[\w-]/.test(String.fromCharCode(byte));

/** The system call table, by the functions of some calls; and where it ends: at the first entry that is no function of the kernel's text. */
export function searchCallTable(
  image: KernelImage,
  address: (name: string) => bigint | undefined,
): { readonly start: bigint; readonly end: bigint } | undefined {
  const [read, write, getpid] = (["read", "write", "getpid"] as const).map((call) => address(`__arm64_sys_${call}`));
  const [text, textEnd] = [address("_stext"), address("_etext")];
  if (read === undefined || write === undefined || getpid === undefined || text === undefined || textEnd === undefined)
    return undefined;
  const view = viewOf(image);
  const low = Number(read & 0xffff_ffffn);
  let tries = MOST_TRIES;
  for (let at = 8 * NR.read; tries > 0 && at + 8 * (NR.getpid - NR.read + 1) <= view.byteLength; at += 8) {
    if (view.getUint32(at, true) !== low || view.getBigUint64(at, true) !== read) continue;
    tries--;
    const start = at - 8 * NR.read;
    const entry = (number: number): bigint => view.getBigUint64(start + 8 * number, true);
    if (entry(NR.write) !== write || entry(NR.getpid) !== getpid) continue;
    let count = NR.getpid + 1;
    const isCall = (): boolean => entry(count) >= text && entry(count) < textEnd;
    while (count < MOST_CALLS && start + 8 * (count + 1) <= view.byteLength && isCall()) count++;
    return { start: image.at + BigInt(start), end: image.at + BigInt(start + 8 * count) };
  }
  return undefined;
}
