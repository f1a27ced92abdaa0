// Interrupt groups (IHI0069 4.6), by the numbers that bits and fields of layout.ts have them in. With a single Security state, and in
// a GICv2, there are two.
export const GROUP0 = 0;
/** Group 1; with two Security states, the Non-secure one. */
export const GROUP1 = 1;
export const SECURE_GROUP1 = 2;
export const GROUPS = 3;
