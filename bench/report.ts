// What comes out of a benchmark: tables for people, a chart, figures for programs.

import type { Row } from "./rows.ts";

/** Seconds of the host's clock, and of CPU time of the process. */
export interface Elapsed {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Of one system and one row, the medians over the runs. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
  /** Host CPU seconds that the row took with its preparation; 0 where unknown. */
  readonly cpuSeconds: number;
  readonly check: string;
}

export interface SystemFigures {
  readonly name: string;
  readonly version: string;
  readonly runs: number;
  /** From the start of the process to the guest's init. */
  readonly toInit: Elapsed;
  readonly rows: Readonly<Record<string, Figure>>;
}

/** A measurement of Atoll by itself, and its limit. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: string;
  /** The same of QEMU, where it was measured. */
  readonly qemu?: number;
}

export interface Results {
  readonly date: string;
  readonly host: string;
  readonly scale: number;
  readonly measures: readonly Measure[];
  readonly systems: readonly SystemFigures[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

const short = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(3));
const ratio = (value: number): string => value.toFixed(2);

/** Ratio of Atoll to another system in a row; undefined where either has no figure. */
export function ratioOf(results: Results, other: SystemFigures, row: string): number | undefined {
  const ours = results.systems[0]?.rows[row];
  const theirs = other.rows[row];
  return ours && theirs ? ours.value / theirs.value : undefined;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((h, i) => Math.max(h.length, ...rows.map((row) => (row[i] as string).length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((c, i) => c.padEnd(widths[i] as number)).join(" | ")} |`;
  return [line(header), `|${widths.map((w) => "-".repeat(w + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

export function measuresTable({ measures }: Results): string {
  return table(
    ["what", "measured", "to reach", "QEMU"],
    measures.map((m) => [
      m.what,
      `${short(m.value)} ${m.unit}`,
      m.limit,
      m.qemu === undefined ? "" : `${short(m.qemu)} ${m.unit}`,
    ]),
  );
}

/** One line a row: the rate of each system, and Atoll's divided by each other's. */
export function rowsTable(results: Results, rows: readonly Row[]): string {
  const { systems } = results;
  const [ours, ...others] = systems;
  if (ours === undefined) return "";
  const header = [
    ...["row", "what", "unit", ...systems.map((s) => s.name)],
    ...others.flatMap((s) => [`to ${s.name}`, `by CPU time`]),
    "to reach",
  ];
  const lines = rows
    .filter(({ name }) => ours.rows[name])
    .map(({ name, what, target }) => {
      const our = ours.rows[name] as Figure;
      return [
        ...[name, what, our.unit],
        ...systems.map((s) => (s.rows[name] ? short(s.rows[name].value) : "")),
        ...others.flatMap((s) => {
          const r = ratioOf(results, s, name);
          const theirs = s.rows[name]?.cpuSeconds ?? 0;
          return [
            r === undefined ? "" : ratio(r),
            theirs > 0 && our.cpuSeconds > 0 ? ratio(theirs / our.cpuSeconds) : "",
          ];
        }),
        ratio(target),
      ];
    });
  const boot = [
    ...["boot", "process start to the guest's init", "s", ...systems.map((s) => short(s.toInit.seconds))],
    ...others.flatMap((s) => [
      ratio(s.toInit.seconds / ours.toInit.seconds),
      ratio(s.toInit.cpuSeconds / ours.toInit.cpuSeconds),
    ]),
    ratio(1 / 1.2),
  ];
  return table(header, [boot, ...lines]);
}

/** A bar for each row and each other system, as long as the ratio; logarithmic, with a line at 1. */
export function chart(results: Results, rows: readonly Row[]): string {
  const [ours, ...others] = results.systems;
  const bars = rows.flatMap(({ name }) =>
    others.flatMap((other, series) => {
      const value = ratioOf(results, other, name);
      return value === undefined ? [] : [{ name, series, value }];
    }),
  );
  const [left, width, step, top] = [110, 560, 18, 46];
  const [least, most] = [0.05, 20];
  const x = (value: number): number =>
    left + (width * Math.log(Math.min(Math.max(value, least), most) / least)) / Math.log(most / least);
  const one = x(1).toFixed(1);
  const bottom = top + bars.length * step;
  const colours = ["#2b6cb0", "#b7791f"];
  const text = (tx: number | string, ty: number, content: string, more = ""): string =>
    `<text x="${tx}" y="${ty}" ${more}>${content}</text>`;
  const grid = [0.1, 0.2, 0.5, 1, 2, 5, 10].map((value) => {
    const at = x(value).toFixed(1);
    return `<line x1="${at}" y1="${top - 4}" x2="${at}" y2="${bottom}" stroke="${value === 1 ? "#222" : "#ddd"}"/>${text(at, top - 8, `${value}`, 'text-anchor="middle"')}`;
  });
  const drawn = bars.map(({ name, series, value }, i) => {
    const y = top + i * step;
    const [from, to] = [Math.min(x(value), Number(one)), Math.max(x(value), Number(one))];
    return [
      series === 0 ? text(left - 8, y + 12, name, 'text-anchor="end"') : "",
      `<rect x="${from.toFixed(1)}" y="${y + 2}" width="${(to - from).toFixed(1)}" height="${step - 5}" fill="${colours[series]}"/>`,
      text((value < 1 ? from - 4 : to + 4).toFixed(1), y + 12, ratio(value), value < 1 ? 'text-anchor="end"' : ""),
    ].join("");
  });
  const title = `${ours?.name} divided by ${others.map((s) => `${s.name} ${s.version}`).join(" and ")}; right of 1 is faster`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 40}" height="${bottom + 12}" font-family="sans-serif" font-size="11">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(left, 18, title, 'font-size="13"'),
    ...grid,
    ...drawn,
    "</svg>",
  ].join("\n")}\n`;
}

/** The document with what is between the markers replaced. @throws where it has no markers. */
export function withResults(document: string, content: string): string {
  const markers = /(<!-- results -->\n)[\s\S]*(<!-- end of results -->)/;
  if (!markers.test(document)) throw new Error("the document has no markers for results");
  return document.replace(markers, (_, start: string, end: string) => `${start}${content}\n${end}`);
}
