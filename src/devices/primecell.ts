// Identification of Arm PrimeCells: four PeriphID registers and four PCellID registers, a byte each, at the end of the 4 KiB window.

export const PRIMECELL_SIZE = 0x1000;
const PERIPH_ID0 = 0xfe0;
const PCELL_ID = [0x0d, 0xf0, 0x05, 0xb1] as const;

/** What a PrimeCell reads as at an offset without a register of its own: its identification, otherwise zero. */
export function primeCellId(periphId: readonly [number, number, number, number], offset: number): number {
  if (offset < PERIPH_ID0) return 0;
  const index = (offset - PERIPH_ID0) >> 2;
  return [...periphId, ...PCELL_ID][index] ?? 0;
}
