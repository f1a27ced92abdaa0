// What the commands for machines that last have in common.

import type { Command } from "commander";
import type { Progress } from "../contract/action.ts";
import { MACHINE_NAME } from "../contract/limits.ts";
import { BadInput } from "../machine/runnable.ts";
import type { NodeClient } from "../server/domains/client.ts";
import type { Machines } from "../server/machines.ts";
import { declareOptions, type OptionRows, type Parsed, readOptions } from "./option.ts";

export interface MachineCommand<Rows extends OptionRows> {
  /** As commander takes it: `stop <NAME...>`. */
  readonly usage: string;
  readonly summary: string;
  readonly description: string;
  readonly rows: Rows;
  /** @returns the exit status. */
  readonly act: (options: Parsed<Rows>, names: readonly string[]) => Promise<number>;
}

export function declareMachineCommand<Rows extends OptionRows>(
  program: Command,
  done: (status: number) => void,
  { usage, summary, description, rows, act }: MachineCommand<Rows>,
): void {
  const command = program.command(usage).summary(summary).description(description);
  declareOptions(command, rows);
  command.action(async (...given: unknown[]) => {
    // Commander gives the arguments, the options and the command.
    const names = given.slice(0, -2).flat() as string[];
    for (const name of names) {
      if (MACHINE_NAME.test(name)) continue;
      throw new BadInput(
        `${name === "" ? '""' : name}: give a name of at most 63 lower-case letters, digits and hyphens, such as web-1`,
      );
    }
    done(await act(readOptions(rows, given.at(-2) as Record<string, unknown>), names));
  });
}

/**
 * The machines of this user's state directory, and the node with its domains, while `use` is at work with them. What they need is loaded
 * only now. A name is a machine's or a domain's.
 */
export async function withMachines<T>(use: (machines: Machines, node: NodeClient) => Promise<T>): Promise<T> {
  const [{ Machines }, { NodeClient }, { StateDirectory, stateHome }] = await Promise.all([
    import("../server/machines.ts"),
    import("../server/domains/client.ts"),
    import("../server/state-directory.ts"),
  ]);
  const command = [process.execPath, ...process.execArgv, process.argv[1] as string];
  const state = new StateDirectory(stateHome());
  const machines = new Machines(state, command);
  try {
    return await use(machines, new NodeClient(state, command));
  } finally {
    machines.close();
  }
}

/** A line on stderr that says what is going on: on a terminal, once it takes longer than a moment. */
export class ProgressLine {
  #next = performance.now() + 500;
  #shown = 0;

  readonly show = ({ step, done }: Progress): void => {
    if (!process.stderr.isTTY || performance.now() < this.#next) return;
    this.#next = performance.now() + 100;
    const text = done === undefined ? step : `${step}: ${(100 * done).toFixed(0)} %`;
    process.stderr.write(`\r${text.padEnd(this.#shown)}`);
    this.#shown = text.length;
  };

  /** Takes the line away. */
  end(): void {
    if (this.#shown > 0) process.stderr.write(`\r${" ".repeat(this.#shown)}\r`);
    this.#shown = 0;
  }

  static async during<T>(work: (show: (progress: Progress) => void) => Promise<T>): Promise<T> {
    const line = new ProgressLine();
    try {
      return await work(line.show);
    } finally {
      line.end();
    }
  }
}
