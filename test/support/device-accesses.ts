import fc from "fast-check";
import type { AccessSize } from "../../src/bus/device.ts";
import type { Access } from "./device-doubles.ts";

/** Aligned accesses to a window of `size` bytes, half of them to the offsets named. */
export function accesses(size: number, offsets: readonly number[] = []): fc.Arbitrary<Access[]> {
  const offset = fc.oneof(
    fc.nat(size - 1),
    ...(offsets.length > 0 ? [fc.constantFrom(...offsets), fc.constantFrom(...offsets)] : []),
  );
  const access = fc
    .tuple(offset, fc.constantFrom<AccessSize>(1, 2, 4, 4, 4), fc.option(values, { nil: undefined }))
    .map(([at, bytes, value]) => ({ offset: at - (at % bytes), bytes, value }))
    .filter(({ offset: at, bytes }) => at + bytes <= size);
  return fc.array(access, { maxLength: 60 });
}

const values = fc.oneof(
  fc.nat(0xffff_ffff),
  fc.nat(255),
  fc.integer({ min: 0, max: 31 }).map((bit) => (1 << bit) >>> 0),
);
