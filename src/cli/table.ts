// Tables for people, and how values are written in them.

/** Bytes of RAM as one would type them. */
export function memoryText(bytes: number): string {
  const [unit, size] = bytes % 2 ** 30 === 0 ? ["G", 2 ** 30] : bytes % 2 ** 20 === 0 ? ["M", 2 ** 20] : ["K", 2 ** 10];
  return `${bytes / (size as number)}${unit}`;
}

/** A moment in this computer's time zone. */
export function timeText(moment: string | undefined): string {
  if (moment === undefined) return "never";
  const date = new Date(moment);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Lines of columns that are as wide as their widest cells. Rows have as many cells as the first, or fewer. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((cells) => (cells[i] ?? "").length)));
  return rows
    .map((cells) => `${cells.map((cell, i) => cell.padEnd((widths[i] as number) + 2)).join("")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
