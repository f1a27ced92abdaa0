import { type Finding, outcomeText } from "./audit.ts";
import { type Item, isPrivileged } from "./items.ts";
import type { Outcome } from "./subject.ts";

// An audit as text for people, and as data.

const TITLES = {
  instruction: "A64 instructions",
  register: "System registers",
  "system instruction": "System instructions",
} as const;

/** "EL1+": from that exception level up. */
function levels({ el }: Item): string {
  return el === 4 ? "none" : `EL${el}+`;
}

function columns(item: Item): string[] {
  return [
    item.name,
    item.feature === "" ? "-" : item.feature,
    levels(item),
    isPrivileged(item) ? "privileged" : "-",
    item.sensitive ?? "-",
    item.controls.length === 0 ? "-" : item.controls.join(" "),
  ];
}

/** The widest that a column becomes; longer texts push the next ones aside. */
const WIDEST = 44;

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.min(WIDEST, Math.max(...rows.map((row) => (row[i] ?? "").length))));
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The tables of everything; `findings`, where the items were run. */
export function tablesText(items: readonly Item[], findings?: readonly Finding[]): string {
  const heads = ["NAME", "FEATURE", "LEVELS", "PRIVILEGED", "SENSITIVE", "TRAPPED BY"];
  return (Object.keys(TITLES) as Item["kind"][])
    .map((kind) => {
      const rows = items.flatMap((item, i) => {
        if (item.kind !== kind) return [];
        const finding = findings?.[i];
        return [[...columns(item), ...(finding ? finding.outcomes.map(outcomeText) : [])]];
      });
      return `${TITLES[kind]}\n\n${table([[...heads, ...(findings ? ["AT EL0", "AT EL1"] : [])], ...rows])}\n`;
    })
    .join("\n");
}

/** What running the items has shown. */
export function verdictText(findings: readonly Finding[]): string {
  const sensitive = findings.filter(({ item }) => item.sensitive !== undefined);
  const count = (level: 0 | 1, ...kinds: readonly Outcome["kind"][]): number =>
    sensitive.filter(({ outcomes }) => kinds.includes(outcomes[level].kind)).length;
  const line = (level: 0 | 1): string =>
    `  at EL${level}: ${count(level, "trapped")} trapped to EL2, ${count(level, "undefined", "exception")} refused (to EL1), ` +
    `${count(level, "executed")} executed`;
  const exceptions = sensitive.filter(({ exception }) => exception !== undefined);
  const problems = findings.filter((finding) => finding.problems.length > 0);
  const untried = [...new Set(findings.flatMap((finding) => finding.untried))].sort();
  return [
    "Popek and Goldberg's condition, at EL0 and EL1 under EL2 with its traps set",
    "",
    `  ${findings.length} run, ${sensitive.length} of them sensitive`,
    line(0),
    line(1),
    "",
    `Sensitive, and executed without a trap, because the architecture virtualizes them: ${exceptions.length}`,
    ...byReason(exceptions),
    "",
    ...nested(findings),
    ...(untried.length === 0 ? [] : [`Controls that were not tried alone: ${untried.join(" ")}`, ""]),
    problems.length === 0
      ? "Nothing else that is sensitive executed, and every control that was tried traps what it should."
      : `What contradicts the description or the condition: ${problems.length}`,
    ...problems.map(({ item, problems: found }) => `  ${item.name}: ${found.join("; ")}`),
    "",
  ].join("\n");
}

const NV = "HCR_EL2.NV";

/** What a guest hypervisor needs: that what is EL2's traps at EL1. */
function nested(findings: readonly Finding[]): string[] {
  const wanted = findings.filter(({ item }) => item.el === 2 && item.controls.includes(NV));
  if (wanted.length === 0) return [];
  const missing = wanted.filter(({ trapsAlone }) => !trapsAlone.includes(NV)).map(({ item }) => item.name);
  return [
    `Of EL2's, with ${NV} alone: ${wanted.length - missing.length} of ${wanted.length} trap at EL1, the others do not:`,
    ...wrapped(missing, 120).map((line) => `  ${line}`),
    "",
  ];
}

function byReason(findings: readonly Finding[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { item, exception = "" } of findings) groups.set(exception, [...(groups.get(exception) ?? []), item.name]);
  return [...groups].flatMap(([reason, names]) => [
    `  ${reason}:`,
    ...wrapped(names, 120).map((line) => `    ${line}`),
  ]);
}

function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 2 <= width) lines[lines.length - 1] = `${last}; ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** For machines. */
export function auditJson(cpu: string, items: readonly Item[], findings?: readonly Finding[]): unknown {
  return {
    cpu,
    items: items.map((item, i) => {
      const { kind, name, feature, word, el, sensitive, controls, virtualized } = item;
      const finding = findings?.[i];
      return {
        ...{
          kind,
          name,
          feature: feature === "" ? null : feature,
          word: word >>> 0,
          lowestLevel: el === 4 ? null : el,
          privileged: isPrivileged(item),
        },
        ...{ sensitive: sensitive ?? null, controls, virtualized: virtualized ?? null },
        ...(finding && {
          ...{ el0: finding.outcomes[0], el1: finding.outcomes[1], trapsAlone: finding.trapsAlone },
          ...{ untried: finding.untried, exception: finding.exception ?? null, problems: finding.problems },
        }),
      };
    }),
  };
}
