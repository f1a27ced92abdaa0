// The Internet checksum (RFC 1071).

/** One's complement sum of the 16-bit big-endian words of [from, to), the last byte padded with zero, added to `sum`. Not yet folded. */
export function sumWords(view: DataView, from: number, to: number, sum = 0): number {
  let total = sum;
  let at = from;
  // 32 bits at a time: their halves add up to the same, and 2^53 is far away.
  for (; at + 4 <= to; at += 4) total += view.getUint32(at);
  if (at + 2 <= to) {
    total += view.getUint16(at);
    at += 2;
  }
  if (at < to) total += view.getUint8(at) << 8;
  return total;
}

/** To 16 bits. */
export function fold(sum: number): number {
  // 2^32 and 2^16 are both 1 modulo 2^16 - 1.
  let folded = Math.floor(sum / 2 ** 32) + (sum >>> 0);
  folded = Math.floor(folded / 2 ** 16) + (folded & 0xffff);
  while (folded > 0xffff) folded = (folded >>> 16) + (folded & 0xffff);
  return folded;
}

/** The checksum of [from, to): 0 when one that is in there is right. */
export function checksum(view: DataView, from: number, to: number, sum = 0): number {
  return ~fold(sumWords(view, from, to, sum)) & 0xffff;
}
