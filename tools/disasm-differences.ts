/** Undefined when two disassemblies say the same; else what kind of difference it is. */
export function difference(our: string, their: string, _pc: number): string | undefined {
  const normal = (s: string): string =>
    s
      .replace(/\s*\/\/.*$/, "")
      .replace(/\s*<[^>]*>$/, "")
      .replace(/\s+/g, " ")
      .trim()
      .toLowerCase();
  const a = normal(our);
  const b = normal(their);
  if (a === b) return undefined;
  const weUndefined = a.startsWith(".inst");
  const theyUndefined = b.startsWith(".inst") || b.includes("undefined");
  if (weUndefined && theyUndefined) return undefined;
  if (weUndefined) return "we say unallocated";
  if (theyUndefined) return "they say unallocated";
  return "text";
}
