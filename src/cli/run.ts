// `atoll run`: makes a machine of the options and puts it on the terminal.

import type { Command } from "commander";
import type { WatchdogAction } from "../contract/limits.ts";
import { monotonic } from "../hosts/library/clocks.ts";
import { artifactsOf, machineParts, type WantedMachine } from "../hosts/library/parts.ts";
import { type RunEnd, RunLoop } from "../hosts/library/run-loop.ts";
import { nodeBindings, nodePackageFile } from "../hosts/node/bindings.ts";
import { ESCAPE_HELP } from "../hosts/node/escape-keys.ts";
import { save } from "../hosts/node/files.ts";
import { GdbSocket } from "../hosts/node/gdb-socket.ts";
import { keepHeapsSmall } from "../hosts/node/heaps.ts";
import { inflateAhead, unpackedSize } from "../hosts/node/inflate.ts";
import { touch } from "../hosts/node/memory-touch.ts";
import { OutputFile } from "../hosts/node/output-file.ts";
import { pace } from "../hosts/node/pace.ts";
import { processStatistics } from "../hosts/node/process-statistics.ts";
import type { SavedMachine } from "../hosts/node/saved-machine.ts";
import { DirectoryFiles } from "../hosts/node/semihosting-files.ts";
import { Terminal } from "../hosts/node/terminal.ts";
import { openWanted } from "../hosts/node/wanted-machine.ts";
import type { Machine } from "../machine/machine.ts";
import { BadInput, type MachineParts, type RunnableMachine } from "../machine/runnable.ts";
import type { SemihostingHost } from "../machine/semihosting/host.ts";
import { formatStatistics } from "../machine/statistics.ts";
import { HoldClock } from "../server/hold-clock.ts";
import { openBootedGuest, startBootedGuest } from "./booted-guest.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { executeMonitorLine, type Monitored } from "./monitor.ts";
import { MonitorPrompt } from "./monitor-prompt.ts";
import { declareOptions, readOptions } from "./option.ts";
import { ProfileFile, symbolFiles } from "./profile.ts";
import { ago, reportError, say } from "./report.ts";
import { RUN_OPTIONS, type RunOptions } from "./run-options.ts";
import { Saver } from "./saver.ts";

export function declareRun(program: Command, done: (status: number) => void): void {
  const command = program
    .command("run")
    .summary("boot a machine on this terminal")
    .description("Boots a machine whose serial console is this terminal: the embedded Linux, or a system of yours.")
    .addHelpText("after", `\nKeys, when input comes from a terminal:\n${ESCAPE_HELP.replace(/^/gm, "  ")}`);
  declareOptions(command, RUN_OPTIONS);
  command.action(async (given: Record<string, unknown>) => {
    done(await run(readOptions(RUN_OPTIONS, given), undefined));
  });
}

const STATUS: Readonly<Record<Exclude<RunEnd, "exit">, number>> = {
  off: EXIT_STATUS.ok,
  quit: EXIT_STATUS.ok,
  reset: EXIT_STATUS.guestReset,
  timeout: EXIT_STATUS.timeout,
  watchdog: EXIT_STATUS.watchdog,
  interrupted: EXIT_STATUS.interrupted,
};

const WATCHDOG_EXPIRED: Readonly<Record<WatchdogAction, string>> = {
  restart: "the watchdog expired: the machine is reset",
  fail: "the watchdog expired",
  pause: "the watchdog expired: the machine is paused; cont in the monitor (ctrl-a c) lets it go on",
};

/** @param saved a machine that was saved, with which to go on; undefined: one is booted. */
export async function run(options: RunOptions, saved: SavedMachine | undefined): Promise<number> {
  // Other threads read and compile while this one opens what the machine is made of.
  artifactsOf(nodeBindings, nodePackageFile).catch(() => {});
  const opening = saved === undefined ? openBootedGuest(options) : undefined;
  opening?.catch(() => {});
  // The terminal, the loop and the monitor know each other; the machine comes last, as it may find fault with its parts.
  let loop: RunLoop | undefined;
  let prompt: MonitorPrompt | undefined;
  let saver: Saver | undefined;
  const terminal = new Terminal(
    { input: process.stdin, output: process.stdout },
    {
      input: () => loop?.wake(),
      quit: () => loop?.stop("quit"),
      monitor: (active) => (active ? prompt?.open() : prompt?.close()),
      monitorInput: (bytes) => prompt?.feed(bytes),
      save: () => void saver?.save(undefined),
      help: () => terminal.print(`\n${ESCAPE_HELP}\n`),
      hangup: () => loop?.stop("interrupted"),
    },
  );
  const opened = await openWanted(options, terminal, () => loop?.wake());
  // However the command ends, what the guest wrote is to be on the host's disk.
  process.on("exit", opened.close);
  try {
    const trace = options.trace && new OutputFile(options.traceFile, "trace", say);
    const wanted: WantedMachine = {
      ...opened.wanted,
      ...developmentParts(options),
      trace: options.trace && trace && { ...options.trace, write: trace.write, symbols: symbolFiles(options) },
    };
    const profile = options.profile === undefined ? undefined : new ProfileFile(options.profile, options);
    const clock = new HoldClock(monotonic);
    // Loaded only now: most of the program is not needed to say that a file is missing.
    const parts = await machineParts(
      wanted,
      terminal,
      { ...nodeBindings, monotonic: clock.now },
      nodePackageFile,
      false,
    );
    const guest = await opening;
    const booted = guest && (await startBootedGuest(guest, parts, terminal));
    const machine = booted ?? (saved ? await saved.restore(parts) : await created(parts));
    if (options.dumpDtb !== undefined) {
      save(options.dumpDtb, machine.deviceTree());
      return EXIT_STATUS.ok;
    }

    const hold = (held: boolean): void => {
      loop?.hold(held);
      clock.hold(held);
    };
    loop = new RunLoop(machine, {
      ...{ pace, reboot: !options.noReboot, timeout: options.timeout },
      watchdog: options.watchdog && {
        action: options.watchdog,
        expired: () => {
          if (options.watchdog === "pause") hold(true);
          terminal.print(`\natoll: ${WATCHDOG_EXPIRED[options.watchdog as WatchdogAction]}\n`);
        },
      },
    });
    saver = new Saver(machine, options, terminal, loop);
    const screen = options.display && (await import("../hosts/node/display-server.ts"));
    const monitored = monitoredOf(machine, loop, hold, saver, screen?.screendump);
    prompt = new MonitorPrompt(
      (line) => executeMonitorLine(monitored, line),
      (text) => terminal.print(text),
    );
    const gdb = await serveGdb(options, machine, loop, monitored);
    const display = options.display && (await screen?.serveDisplay(options.display, machine, () => loop?.wake()));
    if (display !== undefined) say(display.description);
    const end = await onTerminal(terminal, loop, () => {
      if (process.stdin.isTTY) say("ctrl-a x leaves, ctrl-a h lists the other keys");
      if (saved === undefined) return;
      say(`${saved.path} goes on, as it was ${ago(Date.now() - saved.saved)}`);
      // The guest has shown its prompt already, to somebody else.
      terminal.show(saved.lastLine);
    });
    const status = end === "exit" ? loop.exitStatus : STATUS[end];
    await gdb?.close(status);
    display?.close();
    if (options.save !== undefined && isLeft(end)) await saver.saveAtEnd(options.save);
    // The shell's prompt belongs on a line of its own.
    if (end === "quit") terminal.print("\n");
    if (end === "timeout") say(`the time limit of ${options.timeout} s has passed`);
    if (end === "reset") say("the guest reset the machine, as it does after a panic, too");
    profile?.save(machine);
    trace?.close();
    if (options.stats) process.stderr.write(`${statisticsOf(machine)}\n`);
    return status;
  } finally {
    opened.close();
  }
}

async function created(parts: MachineParts): Promise<Machine> {
  await parts.readToBoot?.();
  // While this thread loads the rest of the program: most of it is not needed to say that a file is missing.
  const { kernel, bios } = parts;
  const unpacking = kernel && inflateAhead(kernel.bytes);
  const { Machine } = await import("../machine/machine.ts");
  // Firmware is part of the board. A kernel is not: the machine is made meanwhile.
  if (kernel === undefined || bios) return Machine.create(parts);
  let ready: Promise<void> | undefined;
  const machine = await Machine.blank(parts, (memory, ram) => {
    // The device tree is at the start of RAM, and nearly all kernels follow 2 MiB behind it.
    const bytes = 0x20_0000 + unpackedSize(kernel.bytes);
    ready = touch(memory, [{ start: ram, bytes: Math.min(bytes, parts.memory) }]);
  });
  await Promise.all([unpacking, ready]);
  machine.reset();
  return machine;
}

/** Whether the guest could go on. */
function isLeft(end: RunEnd): boolean {
  return end === "quit" || end === "interrupted" || end === "timeout";
}

async function serveGdb(
  options: RunOptions,
  machine: Machine,
  loop: RunLoop,
  monitored: Monitored,
): Promise<GdbSocket | undefined> {
  if (options.gdb === undefined || machine.debugger === undefined) return undefined;
  const socket = await GdbSocket.listen(options.gdb, machine.debugger, {
    resumed: () => loop.wake(),
    monitor: (line) => executeMonitorLine(monitored, line),
    kill: () => loop.stop("quit"),
  });
  const { host } = options.gdb;
  say(`GDB may connect: target remote ${host.includes(":") ? `[${host}]` : host}:${socket.port}`);
  return socket;
}

/** What looks into the machine while it runs, which is no part of its definition. */
function developmentParts(options: RunOptions): Pick<WantedMachine, "tier" | "measure" | "debug" | "semihosting"> {
  if (options.gdbWait && options.gdb === undefined) {
    throw new BadInput("--gdb-wait: say where with --gdb, as in --gdb :1234");
  }
  return {
    tier: options.tier,
    measure: options.profile !== undefined ? "stacks" : options.stats ? "tiers" : undefined,
    debug: options.gdb === undefined ? undefined : options.gdbWait ? "wait" : "run",
    semihosting: semihostingOf(options),
  };
}

function semihostingOf({ semihosting, kernel, append }: RunOptions): SemihostingHost | undefined {
  if (semihosting === undefined) return undefined;
  const { directory } = semihosting;
  return {
    files: directory === undefined ? undefined : new DirectoryFiles(directory),
    commandLine: [kernel ?? "", append ?? ""].join(" ").trim(),
  };
}

/** Of the machine, and of the process that runs it. */
function statisticsOf(machine: RunnableMachine): string {
  return formatStatistics([...machine.statistics(), ...processStatistics()]);
}

/** @param screendump undefined: there is no display. */
function monitoredOf(
  machine: Machine,
  loop: RunLoop,
  hold: (held: boolean) => void,
  saver: Saver,
  screendump: ((machine: RunnableMachine, file: string) => void) | undefined,
): Monitored {
  return {
    screendump: screendump && ((file) => screendump(machine, file)),
    registers: () => machine.registers(),
    memoryMap: () => machine.memoryMap(),
    statistics: () => statisticsOf(machine),
    balloon: machine.balloon && {
      describe: () => {
        const text = machine.balloon?.describe() ?? "";
        loop.wake();
        return text;
      },
      setTarget: (bytes) => {
        machine.balloon?.setTarget(bytes);
        loop.wake();
      },
    },
    hold,
    pressPowerKey: () => {
      machine.pressPowerKey();
      // The guest may be asleep, waiting for just this.
      loop.wake();
    },
    reset: () => {
      void machine.readyToBoot().then(() => {
        machine.reset();
        loop.wake();
      });
    },
    save: (file) => void saver.save(file),
    quit: () => loop.stop("quit"),
  };
}

/** Runs with the terminal in raw mode, and gives it back however the run ends. `begun` is called when signals end the run in order. */
async function onTerminal(terminal: Terminal, loop: RunLoop, begun: () => void): Promise<RunEnd> {
  const interrupt = (): void => loop.stop("interrupted");
  const restore = (): void => terminal.close();
  const crash = (error: unknown): void => {
    restore();
    process.exit(reportError(error));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
  process.on("uncaughtException", crash);
  process.on("exit", restore);
  terminal.open();
  begun();
  keepHeapsSmall();
  try {
    return await loop.run();
  } finally {
    restore();
  }
}
