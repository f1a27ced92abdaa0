// Command line options as data: a row says an option's name, help and how its value is read; the commander option, the parsed
// options' type and the error messages follow from it.

import { type Command, Option } from "commander";
import { BadInput } from "../machine/runnable.ts";

interface Row {
  /** As commander takes it: `--memory <SIZE>`. */
  readonly flags: string;
  readonly help: string;
}

/** An option with one value. The last one given counts. */
export interface ValueRow<T> extends Row {
  readonly kind: "value";
  /** @throws BadInput that says what a good value is. */
  readonly parse: (text: string) => T;
  /** As it would be typed. */
  readonly default?: string;
}

/** An option that may be given several times, and gives a list. */
export interface ListRow<T> extends Row {
  readonly kind: "list";
  readonly parse: (text: string) => T;
}

/** An option without a value. */
export interface FlagRow extends Row {
  readonly kind: "flag";
}

export type OptionRows = Readonly<Record<string, ValueRow<unknown> | ListRow<unknown> | FlagRow>>;

/** What rows give when parsed. A value without a default may be undefined. */
export type Parsed<Rows extends OptionRows> = {
  readonly [Name in keyof Rows]: Rows[Name] extends { kind: "flag" }
    ? boolean
    : Rows[Name] extends ListRow<infer T>
      ? readonly T[]
      : Rows[Name] extends ValueRow<infer T>
        ? Rows[Name] extends { default: string }
          ? T
          : T | undefined
        : never;
};

/** Declares the options to commander, in the rows' order. */
export function declareOptions(command: Command, rows: OptionRows): void {
  for (const row of Object.values(rows)) {
    const option = new Option(row.flags, row.help);
    if (row.kind === "value" && row.default !== undefined) option.default(row.default, row.default);
    if (row.kind === "list") option.argParser((text, all: readonly string[] = []) => [...all, text]);
    command.addOption(option);
  }
}

/** Reads the values that commander found. @throws BadInput for the first bad one, in the rows' order. */
export function readOptions<Rows extends OptionRows>(
  rows: Rows,
  given: Readonly<Record<string, unknown>>,
): Parsed<Rows> {
  const parsed: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(rows)) {
    const option = new Option(row.flags);
    const value = given[option.attributeName()];
    if (row.kind === "flag") parsed[name] = value === !option.negate;
    else if (row.kind === "list")
      parsed[name] = ((value ?? []) as string[]).map((text) => read(option, row.parse, text));
    else {
      // One that may be left out (`--name [VALUE]`) is true where it is.
      const text = value === true ? "" : ((value as string | undefined) ?? row.default);
      parsed[name] = text === undefined ? undefined : read(option, row.parse, text);
    }
  }
  return parsed as Parsed<Rows>;
}

function read<T>(option: Option, parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof BadInput) throw new BadInput(`${option.long} ${text === "" ? '""' : text}: ${error.message}`);
    throw error;
  }
}
