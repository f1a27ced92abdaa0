// The monitor: what ctrl-a c opens. Commands as data, against the little of a machine that they need.

import type { RunnableMachine } from "../machine/runnable.ts";

export interface Monitored extends Pick<RunnableMachine, "registers" | "memoryMap" | "pressPowerKey"> {
  /** Counters, for people. */
  statistics(): string;
  /** Resets the machine. */
  reset(): void;
  /** Ends the run. */
  quit(): void;
}

interface MonitorCommand {
  readonly help: string;
  /** Text to show, ended by a newline unless empty. */
  readonly run: (machine: Monitored) => string;
}

const COMMANDS: ReadonlyMap<string, MonitorCommand> = new Map([
  ["info registers", { help: "registers of every processing element", run: (m: Monitored) => lines(m.registers()) }],
  ["info mtree", { help: "the physical memory map", run: (m) => lines(m.memoryMap()) }],
  [
    "info stats",
    { help: "counters of the processing elements, the engine and the devices", run: (m) => lines(m.statistics()) },
  ],
  [
    "system_powerdown",
    {
      help: "press the power key: a guest that listens shuts down",
      run: (m) => {
        m.pressPowerKey();
        return "";
      },
    },
  ],
  [
    "system_reset",
    {
      help: "reset the machine, as after power-on",
      run: (m) => {
        m.reset();
        return "";
      },
    },
  ],
  ["help", { help: "list the commands", run: () => help() }],
  [
    "quit",
    {
      help: "end the machine and leave",
      run: (m) => {
        m.quit();
        return "";
      },
    },
  ],
]);

/** Executes one line; returns the text to show. Blanks around and between words do not matter. */
export function executeMonitorLine(machine: Monitored, line: string): string {
  const name = line.trim().split(/\s+/).join(" ");
  if (name === "") return "";
  const command = COMMANDS.get(name);
  return command?.run(machine) ?? `unknown command: ${name}; help lists the commands\n`;
}

function help(): string {
  return [...COMMANDS].map(([name, command]) => `${name.padEnd(18)}${command.help}\n`).join("");
}

function lines(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
