// The encoding classes of A64 (Arm ARM C4.1), as patterns to draw instruction words from: `-` is any bit.

export interface EncodingClass {
  readonly name: string;
  readonly mask: number;
  readonly value: number;
}

const PATTERNS: Readonly<Record<string, string>> = {
  reserved: "0--0000",
  "reserved, op1 1": "0000000000000000",
  "scalable matrix extension": "1--0000",
  "unallocated 0001": "---0001",
  "scalable vector extension": "---0010",
  "unallocated 0011": "---0011",
  // Data processing, immediate
  "PC-relative": "---10000",
  "add/subtract immediate": "---100010",
  "add/subtract immediate with tags": "---100011",
  "logical immediate": "---100100",
  "move wide": "---100101",
  bitfield: "---100110",
  extract: "---100111",
  // Branches, exceptions, system
  "conditional branch": "0101010",
  "exception generation": "11010100",
  "system with register argument": "11010101000000110001",
  hints: "11010101000000110010-------11111",
  barriers: "11010101000000110011",
  PSTATE: "1101010100000---0100",
  "system instructions": "1101010100-01",
  "system register move": "1101010100-1",
  system: "110101010",
  "branch to register": "1101011",
  "branch immediate": "-00101",
  "compare and branch": "-011010",
  "test and branch": "-011011",
  // Loads and stores
  "compare and swap pair": "0-0010000-1",
  "SIMD structures": "0-00110-0-000000",
  "SIMD structures, post-index": "0-00110-1-",
  "SIMD single structure": "0-0011010--00000",
  "SIMD single structure, post-index": "0-0011011",
  "memory tags": "11011001--1",
  "exclusive pair": "1-0010000-1",
  exclusive: "--0010000-0",
  ordered: "--0010001-0",
  "compare and swap": "--0010001-1",
  "RCpc unscaled": "--011001--0---------00",
  "memory copy and set": "--011001--0---------01",
  "load literal": "--011-00",
  "no-allocate pair": "--101-000",
  "pair post-index": "--101-001",
  "pair offset": "--101-010",
  "pair pre-index": "--101-011",
  unscaled: "--111-00--0---------00",
  "post-index": "--111-00--0---------01",
  unprivileged: "--111-00--0---------10",
  "pre-index": "--111-00--0---------11",
  atomic: "--111-00--1---------00",
  "register offset": "--111-00--1---------10",
  "pointer authentication loads": "--111-00--1----------1",
  "unsigned offset": "--111-01",
  "other loads and stores": "----1-0",
  // Data processing, register
  "two sources": "-0-11010110",
  "one source": "-1-11010110",
  "logical shifted": "---01010",
  "add/subtract shifted": "---01011--0",
  "add/subtract extended": "---01011--1",
  "add/subtract with carry": "---11010000",
  "flag manipulation": "---11010000-----0---10",
  "conditional compare register": "---11010010---------0",
  "conditional compare immediate": "---11010010---------1",
  "conditional select": "---11010100",
  "three sources": "---11011",
  "other data processing, register": "---11010",
  // Data processing, SIMD and floating point
  AES: "01001110--10100-----10",
  "three-register SHA": "01011110--0-----0---00",
  "two-register SHA": "01011110--10100-----10",
  "scalar copy": "01-11110000-----0----1",
  "scalar three same, half": "01-11110-10-----00---1",
  "scalar two-register, half": "01-11110-111100-----10",
  "scalar three same extra": "01-11110--0-----1----1",
  "scalar two-register": "01-11110--10000-----10",
  "scalar pairwise": "01-11110--11000-----10",
  "scalar three different": "01-11110--1---------00",
  "scalar three same": "01-11110--1----------1",
  "scalar shift immediate": "01-111110------------1",
  "scalar by element": "01-11111-------------0",
  "table lookup": "0--01110--0-----0---00",
  permute: "0--01110--0-----0---10",
  "extract vector": "0--01110--0-----0----0",
  copy: "0--01110000-----0----1",
  "three same, half": "0--01110-10-----00---1",
  "two-register, half": "0--01110-111100-----10",
  "three same extra": "0--01110--0-----1----1",
  "two-register": "0--01110--10000-----10",
  "across lanes": "0--01110--11000-----10",
  "three different": "0--01110--1---------00",
  "three same": "0--01110--1----------1",
  "modified immediate": "0--0111100000---------1",
  "shift immediate": "0--011110------------1",
  "by element": "0--01111-------------0",
  "four-register cryptography": "1100111",
  "two-register SHA512": "11001110110000001000",
  "conversion, fixed-point": "---11110--0",
  "conversion, integer": "---11110--1-----000000",
  "floating point one source": "---11110--1------10000",
  "floating point compare": "---11110--1------01000",
  "floating point immediate": "---11110--1-------0100",
  "floating point conditional compare": "---11110--1---------01",
  "floating point two sources": "---11110--1---------10",
  "floating point conditional select": "---11110--1---------11",
  "floating point three sources": "---11111",
  "other SIMD": "0--0111",
  "other SIMD and floating point": "----111",
  anything: "",
};

function bitsOf(pattern: string, one: string): number {
  return [...pattern.padEnd(32, "-")].reduce((bits, c) => (bits << 1) | (one.includes(c) ? 1 : 0), 0);
}

export const ENCODING_CLASSES: readonly EncodingClass[] = Object.entries(PATTERNS).map(([name, pattern]) => ({
  name,
  mask: bitsOf(pattern, "01"),
  value: bitsOf(pattern, "1"),
}));

/** A set of words by patterns like those above, spaces ignored. */
export function matcher(...patterns: readonly string[]): (word: number) => boolean {
  const list = patterns.map((p) => p.replaceAll(" ", "")).map((p) => [bitsOf(p, "01"), bitsOf(p, "1")] as const);
  return (word) => list.some(([mask, value]) => (word & mask) === value);
}
