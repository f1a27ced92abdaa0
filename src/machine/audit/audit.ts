import type { CpuModel, MachineParts } from "../runnable.ts";
import { accessText, EC, syndromeText, systemId, systemOperand } from "../trace/syndrome.ts";
import { allTraps, noTraps, onlyTrap, type Setting } from "./controls.ts";
import { auditItems, type Item } from "./items.ts";
import { type Outcome, Subject } from "./subject.ts";

/** What was found of an item by running it. */
export interface Finding {
  readonly item: Item;
  /** At EL0 and EL1, with all of EL2's traps set. */
  readonly outcomes: readonly [Outcome, Outcome];
  /** Of its controls, those that trapped it alone, and those that did not though they are EL2's. */
  readonly trapsAlone: readonly string[];
  /** Those of EL2's that were not tried: other registers decide, or they are set in any case. */
  readonly untried: readonly string[];
  /** Why it may execute below EL2 although it is sensitive. */
  readonly exception: string | undefined;
  /** What contradicts the description, or Popek and Goldberg's condition. */
  readonly problems: readonly string[];
}

export interface AuditOptions {
  readonly cpu: CpuModel;
  readonly artifacts: MachineParts["artifacts"];
  /** Controls that a hypervisor leaves alone although they trap. */
  readonly without?: readonly string[] | undefined;
  /** In the place of all that the model has. */
  readonly items?: readonly Item[];
}

const LEVELS = [0, 1] as const;

/** Runs every item at EL0 and EL1 under EL2. */
export function audit({ cpu, artifacts, without = [], items }: AuditOptions): Finding[] {
  const subject = new Subject({ cpu, artifacts });
  const all = allTraps();
  for (const control of without) leaveOut(all, control);
  const left = new Set(without);
  return (items ?? auditItems(cpu, subject.features)).map((item) => examine(subject, item, all, left));
}

/** Puts a control to what does not trap. */
function leaveOut(setting: Setting, control: string): void {
  const only = onlyTrap(control);
  const none = noTraps();
  for (const [name, [low, high]] of only ?? []) {
    const [noLow, noHigh] = none.get(name) ?? [0, 0];
    const value = setting.get(name) ?? [0, 0];
    const [bitsLow, bitsHigh] = [low ^ noLow, high ^ noHigh];
    setting.set(name, [(value[0] & ~bitsLow) | (noLow & bitsLow), (value[1] & ~bitsHigh) | (noHigh & bitsHigh)]);
  }
}

function examine(subject: Subject, item: Item, all: Setting, left: ReadonlySet<string>): Finding {
  const outcomes = [subject.run(item.word, 0, all), subject.run(item.word, 1, all)] as const;
  const problems: string[] = [];
  const trapsAlone: string[] = [];
  const untried: string[] = [];
  for (const control of item.controls) {
    const setting = onlyTrap(control);
    if (setting === undefined || left.has(control)) {
      if (/_EL2\./.test(control)) untried.push(control);
    } else if (LEVELS.some((level) => subject.run(item.word, level, setting).kind === "trapped"))
      trapsAlone.push(control);
    else if (item.el < 2) problems.push(`${control} alone does not trap it`);
  }
  const isTrapped = outcomes.some((outcome) => outcome.kind === "trapped" && outcome.ec !== EC.hvc);
  if (isTrapped && trapsAlone.length === 0 && untried.length === 0)
    problems.push("trapped, but by none of its controls");
  let runs = false;
  for (const level of LEVELS) {
    const outcome = outcomes[level];
    if (outcome.kind === "executed") {
      if (level < item.el) problems.push(`executed at EL${level}, where it does not exist`);
      else if (item.sensitive !== undefined) {
        runs = true;
        if (item.virtualized === undefined) problems.push(`${item.sensitive}-sensitive, and executed at EL${level}`);
      }
    } else if (outcome.kind === "trapped" && outcome.ec === EC.system && item.id !== undefined) {
      const told = accessText(systemId(outcome.iss), systemOperand(outcome.iss).rt, systemOperand(outcome.iss).isRead);
      const was = accessText(item.id, 3, !item.name.startsWith("MRS"));
      if (told !== was) problems.push(`the syndrome says ${told}`);
    }
  }
  return { item, outcomes, trapsAlone, untried, exception: runs ? item.virtualized : undefined, problems };
}

/** As the audit prints it. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case "executed":
      return "executed";
    case "undefined":
      return "undefined";
    case "trapped":
      return `to EL2, EC 0x${outcome.ec.toString(16)}`;
    case "exception":
      return `EL1's exception: ${syndromeText((outcome.ec << 26) | 0).replace(/:.*/, "")}`;
  }
}
