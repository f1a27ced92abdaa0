// What a TLBI invalidates, from its operand (Arm ARM C5.5).

const field = (value: bigint, high: number, low: number): bigint =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;

/** log2 of a granule by TG. */
const GRANULES = [undefined, 12n, 14n, 16n] as const;

/** `operation`: "VAE1IS", in any case. "" for those without an operand. */
export function tlbiText(operation: string, value: bigint): string {
  const [, range, what] = /^(R?)(IPAS2L?|ASID|VAAL?|VAL?)E\d/i.exec(operation) ?? [];
  if (what === undefined) return "";
  const asid = what.toUpperCase() === "ASID" || /^VAL?$/i.test(what) ? `ASID ${field(value, 63, 48)}` : "";
  if (what.toUpperCase() === "ASID") return asid;
  const isIpa = what.toUpperCase().startsWith("IPA");
  const name = isIpa ? "IPA" : "VA";
  const parts = range === "" ? [`${name} ${hex(address(value, isIpa))}`] : rangeText(value, name);
  const ttl = range === "" ? field(value, 47, 44) : field(value, 38, 37);
  if (asid !== "") parts.push(asid);
  if (ttl !== 0n) parts.push(`TTL ${ttl}`);
  return parts.join(", ");
}

/** VA[55:12] with the bits above as VA[55], or IPA[51:12]. */
function address(value: bigint, isIpa: boolean): bigint {
  return isIpa ? field(value, 39, 0) << 12n : BigInt.asIntN(56, field(value, 43, 0) << 12n);
}

function rangeText(value: bigint, name: string): string[] {
  const shift = GRANULES[Number(field(value, 47, 46))];
  if (shift === undefined) return ["nothing: TG is reserved"];
  const base = BigInt.asIntN(37, field(value, 36, 0)) << shift;
  const pages = (field(value, 43, 39) + 1n) << (5n * field(value, 45, 44) + 1n);
  return [`${name} ${hex(base)}, ${hex(pages << shift)} bytes`];
}
