// Where members of struct task_struct are in a kernel that has no types of its own: found by what its first three tasks must look like, which are the idle
// thread (number 0, `swapper`), the first process (1) and kthreadd (2). The order of members that follow each other is that of include/linux/sched.h.

import type { KernelImage } from "./kernel-search.ts";
import type { TaskOffsets } from "./linux-kernel.ts";

/** Before and behind a task's name: larger than all of the structure but for what belongs to an architecture, at its end. */
const REACH = 0x1400;
const MOST_TRIES = 1000;
const MOST_TASKS = 4096;
const COMM_BYTES = 16;
/** task_struct.flags. */
const PF_KTHREAD = 0x0020_0000n;
const SIGCHLD = 17n;
const MOST_REFERENCES = 0x1000n;

/** Tasks by the address of their entry in the list of all; offsets are from there on until the structure's start is known. */
type Numbers = (task: bigint, offset: number, bytes: 4 | 8) => bigint | undefined;

/** Undefined: nothing in the image looks like that. */
export function searchTaskOffsets(image: KernelImage): TaskOffsets | undefined {
  const name = new TextEncoder().encode("swapper");
  let tries = MOST_TRIES;
  for (let at = image.bytes.indexOf(name[0] as number); at >= 0 && tries > 0; ) {
    if (name.every((byte, i) => image.bytes[at + i] === byte)) {
      tries--;
      const found = fromName(image, image.at + BigInt(at));
      if (found !== undefined) return found;
    }
    at = image.bytes.indexOf(name[0] as number, at + 1);
  }
  return undefined;
}

/** @param comm the address of what may be the first task's name. */
function fromName({ space }: KernelImage, comm: bigint): TaskOffsets | undefined {
  for (let entry = (comm - BigInt(REACH)) & ~7n; entry < comm + BigInt(REACH); entry += 8n) {
    const next = space.number(entry, 8);
    if (next === undefined || next === entry || next >> 63n === 0n || space.number(next + 8n, 8) !== entry) continue;
    const tasks = listFrom(entry, (at) => space.number(at, 8));
    const [first, process, threads] = tasks;
    if (first === undefined || process === undefined || threads === undefined) continue;
    const toName = comm - entry;
    const names = [threads, process].map((task) => text(space.read(task + toName, COMM_BYTES)));
    if (names[0] !== "kthreadd" || !names[1]) continue;
    const numbers: Numbers = (task, offset, bytes) => space.number(task + BigInt(offset), bytes);
    const found = fromTasks(tasks, Number(toName), numbers);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What follows each other from an entry of a list on, back to it; nothing when it does not lead back. */
function listFrom(entry: bigint, pointer: (at: bigint) => bigint | undefined): bigint[] {
  const tasks = [entry];
  for (let at = pointer(entry); at !== entry; at = pointer(at)) {
    if (at === undefined || tasks.length > MOST_TASKS || pointer(at + 8n) !== tasks.at(-1)) return [];
    tasks.push(at);
  }
  return tasks;
}

function fromTasks(tasks: readonly bigint[], comm: number, numbers: Numbers): TaskOffsets | undefined {
  const three = tasks.slice(0, 3);
  const [first] = three as [bigint];
  // real_parent and parent: the first task is its own, and both others'.
  const parent = search(-REACH, REACH, 8, (offset) => {
    const start = numbers(first, offset, 8);
    if (start === undefined || start >= first || start < first - BigInt(REACH)) return false;
    return three.every((task) => numbers(task, offset, 8) === start && numbers(task, offset + 8, 8) === start);
  });
  if (parent === undefined) return undefined;
  const start = Number((numbers(first, parent, 8) as bigint) - first);
  // pid and tgid, a little before.
  const pid = search(parent - 24, parent, 4, (offset) =>
    three.every((task, i) => [offset, offset + 4].every((at) => numbers(task, at, 4) === BigInt(i))),
  );
  // usage and flags: of the three, the process alone is no thread of the kernel's.
  const flags = search(start + 16, start + 0x100, 4, (offset) =>
    three.every((task, i) => {
      const usage = numbers(task, offset - 4, 4) ?? 0n;
      const kernel = ((numbers(task, offset, 4) ?? 0n) & PF_KTHREAD) !== 0n;
      return usage > 0n && usage < MOST_REFERENCES && kernel === (i !== 1);
    }),
  );
  if (pid === undefined || flags === undefined) return undefined;
  // Before usage there is the stack's address, and the state before that.
  const state = flags - 20;
  const isKernels = (task: bigint): boolean => ((numbers(task, flags, 4) ?? 0n) & PF_KTHREAD) !== 0n;
  const user = tasks.slice(3).find((task) => !isKernels(task));
  // exit_state, exit_code and exit_signal, which is SIGCHLD of what a process has started, and nothing of kthreadd.
  const exitState =
    user === undefined
      ? undefined
      : search(16, pid, 4, (offset) => {
          const values = [user, three[2] as bigint].map((task) => numbers(task, offset + 8, 4));
          return values[0] === SIGCHLD && values[1] === 0n && numbers(first, offset, 8) === 0n;
        });
  const of = (offset: number): number => offset - start;
  return {
    ...{ tasks: of(0), pid: of(pid), tgid: of(pid + 4), comm: of(comm), parent: of(parent), flags: of(flags) },
    // Without it a zombie looks like one that runs.
    ...{ state: of(state), exitState: of(exitState ?? state) },
  };
}

function search(from: number, to: number, step: number, is: (offset: number) => boolean): number | undefined {
  for (let offset = from; offset < to; offset += step) if (is(offset)) return offset;
  return undefined;
}

function text(bytes: Uint8Array | undefined): string {
  const end = bytes?.indexOf(0) ?? -1;
  return bytes === undefined || end < 0 ? "" : String.fromCharCode(...bytes.subarray(0, end));
}
