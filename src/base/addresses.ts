declare const brand: unique symbol;

/** A guest physical address: an integer, 0 .. 2^48 - 1, so a JavaScript number holds it exactly. */
export type PhysicalAddress = number & { readonly [brand]: "PhysicalAddress" };
/** An address in the one linear memory of a machine: 0 .. 2^32 - 1. */
export type LinearAddress = number & { readonly [brand]: "LinearAddress" };

export const physical = (n: number): PhysicalAddress => n as PhysicalAddress;
export const linear = (n: number): LinearAddress => n as LinearAddress;
