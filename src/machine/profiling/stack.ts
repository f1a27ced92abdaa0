// Call stacks of guests, by their frame records (Procedure Call Standard for the Arm 64-bit Architecture, 6.4.6): X29 points to a pair
// of the caller's X29 and the return address, and so on until X29 or the return address is zero.

/** What is read to walk a stack. Addresses are unsigned 64-bit. */
export interface StackSource {
  readonly pc: bigint;
  readonly fp: bigint;
  readonly lr: bigint;
  /** The doubleword at an address, read without any effect on the guest; undefined where there is no memory. */
  readonly read: (address: bigint) => bigint | undefined;
}

/** The most calls of a stack; the outermost ones are left out. */
export const MAX_FRAMES = 64;

/** An address without tag and pointer authentication code: bits 63:56 are like bit 55, and bits 54:48 too. */
export function canonical(address: bigint): bigint {
  return (address >> 55n) & 1n ? address | 0xffff_0000_0000_0000n : address & 0x0000_ffff_ffff_ffffn;
}

/**
 * The addresses of a stack, innermost first: PC, LR, and the return addresses of the frame records. Whether LR belongs there depends on
 * how far the function at PC has got, see `withoutLink`. A damaged stack ends early; its length is bounded.
 */
export function walkStack({ pc, fp, lr, read }: StackSource): bigint[] {
  const stack = [pc, canonical(lr)];
  let record = canonical(fp);
  while (stack.length < MAX_FRAMES && record !== 0n && (record & 7n) === 0n) {
    const next = read(record);
    const address = next === undefined ? undefined : read(record + 8n);
    if (next === undefined || address === undefined || address === 0n) break;
    stack.push(canonical(address));
    // A record that is its own caller's has no end.
    if (canonical(next) === record) break;
    record = canonical(next);
  }
  return stack;
}

/**
 * A stack of `walkStack` without what LR adds if that is no caller. Before a function has made its frame record, after it has undone it,
 * and in one that makes none, LR is the return address; otherwise it is either what the frame record holds or left from a call that has
 * returned, and so an address of the same function. `sameFunction` says whether an instruction is in the function that is at `pc`;
 * undefined when it is not known.
 */
export function withoutLink(
  stack: readonly bigint[],
  sameFunction: (address: bigint, pc: bigint) => boolean | undefined,
): readonly bigint[] {
  const [pc, link, first] = stack;
  if (pc === undefined || link === undefined) return stack;
  const isCaller = link !== 0n && link !== first && sameFunction(link - 4n, pc) === false;
  return isCaller ? stack : [pc, ...stack.slice(2)];
}
