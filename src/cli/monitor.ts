// The monitor: what ctrl-a c opens. Commands as data, against the little of a machine that they need.

import { BadInput, type RunnableMachine } from "../machine/runnable.ts";

export interface Monitored extends Pick<RunnableMachine, "registers" | "memoryMap" | "pressPowerKey" | "balloon"> {
  /** Counters, for people. */
  statistics(): string;
  /** Writes what the display shows to a PNG file; undefined: there is no display. @throws BadInput */
  readonly screendump?: ((file: string) => void) | undefined;
  /** Stops the processors and the clock, or lets them go on. */
  hold(held: boolean): void;
  /** Resets the machine. */
  reset(): void;
  /** Saves the machine to a file, by default the one that --save names, and says so when it is done. */
  save(file: string | undefined): void;
  /** Ends the run. */
  quit(): void;
}

interface MonitorCommand {
  readonly help: string;
  /** Text to show, ended by a newline unless empty. */
  readonly run: (machine: Monitored, argument: string) => string;
  /** What has to follow the name, for people; undefined: nothing may. */
  readonly argument?: string;
}

const NO_BALLOON = "there is no memory balloon; give --balloon\n";

const COMMANDS: ReadonlyMap<string, MonitorCommand> = new Map<string, MonitorCommand>([
  ["info registers", { help: "registers of every processing element", run: (m: Monitored) => lines(m.registers()) }],
  ["info mtree", { help: "the physical memory map", run: (m) => lines(m.memoryMap()) }],
  [
    "info stats",
    { help: "counters of the processing elements, the engine and the devices", run: (m) => lines(m.statistics()) },
  ],
  [
    "stop",
    {
      help: "stop the processors and the clock",
      run: (m) => {
        m.hold(true);
        return "";
      },
    },
  ],
  [
    "cont",
    {
      help: "let them go on",
      run: (m) => {
        m.hold(false);
        return "";
      },
    },
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
  [
    "info balloon",
    {
      help: "the memory balloon, and what the guest last said of its memory",
      run: (m) => m.balloon?.describe() ?? NO_BALLOON,
    },
  ],
  ["balloon", { argument: "MIB", help: "ask the guest to do with so much RAM", run: (m, text) => setBalloon(m, text) }],
  [
    "save",
    {
      argument: "[FILE]",
      help: "save the machine to a file; it goes on",
      run: (m, file) => {
        m.save(file === "" ? undefined : file);
        return "";
      },
    },
  ],
  [
    "screendump",
    {
      argument: "FILE.png",
      help: "write what the display shows to a file",
      run: (m, file) => screendump(m, file),
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
  const [, first = "", argument = ""] = /^(\S+)(?: (.*))?$/.exec(name) ?? [];
  const command = COMMANDS.get(name) ?? COMMANDS.get(first);
  if (command === undefined || (command.argument === undefined && command !== COMMANDS.get(name))) {
    return `unknown command: ${name}; help lists the commands\n`;
  }
  return command.run(machine, argument);
}

function setBalloon({ balloon }: Monitored, text: string): string {
  if (balloon === undefined) return NO_BALLOON;
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0) return "give the RAM that the guest should use, in MiB\n";
  balloon.setTarget(Number(text) * 2 ** 20);
  return "";
}

function screendump({ screendump }: Monitored, file: string): string {
  if (screendump === undefined) return "there is no display; give --display\n";
  if (file === "") return "give the name of a file\n";
  try {
    screendump(file);
    return "";
  } catch (error) {
    if (error instanceof BadInput) return `${error.message}\n`;
    throw error;
  }
}

function help(): string {
  return [...COMMANDS]
    .map(([name, { argument, help }]) => `${(argument ? `${name} ${argument}` : name).padEnd(20)}${help}\n`)
    .join("");
}

function lines(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
