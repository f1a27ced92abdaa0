// `atoll run`: makes a machine of the options and puts it on the terminal.

import type { Command } from "commander";
import { entropy, monotonic, wallClock } from "../hosts/node/clocks.ts";
import { openDisk } from "../hosts/node/disk.ts";
import { ESCAPE_HELP } from "../hosts/node/escape-keys.ts";
import { load, loadPackageFile, save } from "../hosts/node/files.ts";
import { GdbSocket } from "../hosts/node/gdb-socket.ts";
import { inflate } from "../hosts/node/inflate.ts";
import { processStatistics } from "../hosts/node/process-statistics.ts";
import { type RunEnd, RunLoop } from "../hosts/node/run-loop.ts";
import { DirectoryFiles } from "../hosts/node/semihosting-files.ts";
import { Terminal } from "../hosts/node/terminal.ts";
import { TraceFile } from "../hosts/node/trace-file.ts";
import type { Image } from "../images/image.ts";
import type { Machine } from "../machine/machine.ts";
import { BadInput, type MachineParts, type NamedBytes, type RunnableMachine } from "../machine/runnable.ts";
import type { SemihostingHost } from "../machine/semihosting/host.ts";
import { formatStatistics } from "../machine/statistics.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { type GuestDevices, openDevices } from "./guest-devices.ts";
import { executeMonitorLine, type Monitored } from "./monitor.ts";
import { MonitorPrompt } from "./monitor-prompt.ts";
import { declareOptions, readOptions } from "./option.ts";
import { ProfileFile, symbolFiles } from "./profile.ts";
import { reportError, say } from "./report.ts";
import { RUN_OPTIONS, type RunOptions } from "./run-options.ts";

export function declareRun(program: Command, done: (status: number) => void): void {
  const command = program
    .command("run")
    .summary("boot a machine on this terminal")
    .description("Boots a machine whose serial console is this terminal: the embedded Linux, or a system of yours.")
    .addHelpText("after", `\nKeys, when input comes from a terminal:\n${ESCAPE_HELP.replace(/^/gm, "  ")}`);
  declareOptions(command, RUN_OPTIONS);
  command.action(async (given: Record<string, unknown>) => {
    done(await run(readOptions(RUN_OPTIONS, given)));
  });
}

const STATUS: Readonly<Record<Exclude<RunEnd, "exit">, number>> = {
  off: EXIT_STATUS.ok,
  quit: EXIT_STATUS.ok,
  reset: EXIT_STATUS.guestReset,
  timeout: EXIT_STATUS.timeout,
  interrupted: EXIT_STATUS.interrupted,
};

async function run(options: RunOptions): Promise<number> {
  const disks: Image[] = [];
  let devices: GuestDevices | undefined;
  let wake = (): void => {};
  const close = (): void => {
    for (const disk of disks.splice(0)) disk.close();
    devices?.close();
  };
  // However the command ends, what the guest wrote is to be on the host's disk.
  process.on("exit", close);
  try {
    for (const disk of options.disk) disks.push(await openDisk(disk));
    devices = await openDevices(options, () => wake());
    return await runWith(options, disks, devices, (loop) => {
      wake = () => loop.wake();
    });
  } finally {
    close();
  }
}

async function runWith(
  options: RunOptions,
  disks: readonly Image[],
  devices: GuestDevices,
  starts: (loop: RunLoop) => void,
): Promise<number> {
  // The terminal, the loop and the monitor know each other; the machine comes last, as it may find fault with its parts.
  let loop: RunLoop | undefined;
  let prompt: MonitorPrompt | undefined;
  const terminal = new Terminal(
    { input: process.stdin, output: process.stdout },
    {
      input: () => loop?.wake(),
      quit: () => loop?.stop("quit"),
      monitor: (active) => (active ? prompt?.open() : prompt?.close()),
      monitorInput: (bytes) => prompt?.feed(bytes),
      help: () => terminal.print(`\n${ESCAPE_HELP}\n`),
      hangup: () => loop?.stop("interrupted"),
    },
  );
  const trace = options.trace && new TraceFile(options.traceFile, say);
  const parts: MachineParts = {
    ...partsOf(options, terminal, disks),
    ...devices.parts,
    trace: options.trace && trace && { ...options.trace, write: trace.write, symbols: symbolFiles(options) },
  };
  const profile = options.profile === undefined ? undefined : new ProfileFile(options.profile, options);
  // Loaded only now: most of the program is not needed to say that a file is missing.
  const { Machine } = await import("../machine/machine.ts");
  const machine = await Machine.create(parts);
  if (options.dumpDtb !== undefined) {
    save(options.dumpDtb, machine.deviceTree());
    return EXIT_STATUS.ok;
  }

  loop = new RunLoop(machine, { reboot: !options.noReboot, timeout: options.timeout });
  starts(loop);
  const screen = options.display && (await import("./display.ts"));
  const monitored = monitoredOf(machine, loop, screen);
  prompt = new MonitorPrompt(
    (line) => executeMonitorLine(monitored, line),
    (text) => terminal.print(text),
  );
  const gdb = await serveGdb(options, machine, loop, monitored);
  const display = await screen?.serveDisplay(options.display, machine, () => loop?.wake());
  if (display !== undefined) say(display.description);
  const end = await onTerminal(terminal, loop);
  const status = end === "exit" ? loop.exitStatus : STATUS[end];
  await gdb?.close(status);
  display?.close();
  // The shell's prompt belongs on a line of its own.
  if (end === "quit") terminal.print("\n");
  if (end === "timeout") say(`the time limit of ${options.timeout} s has passed`);
  if (end === "reset") say("the guest reset the machine, as it does after a panic, too");
  profile?.save(machine);
  trace?.close();
  if (options.stats) process.stderr.write(`${statisticsOf(machine)}\n`);
  return status;
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

function partsOf(options: RunOptions, terminal: Terminal, disks: readonly Image[]): MachineParts {
  if (options.gdbWait && options.gdb === undefined) {
    throw new BadInput("--gdb-wait: say where with --gdb, as in --gdb :1234");
  }
  const { memory, cpus, cpu, tier } = options;
  const optional = (name: "dtb" | "bios"): { [N in typeof name]?: NamedBytes } =>
    options[name] === undefined ? {} : { [name]: load(options[name]) };
  return {
    ...{ memory, cpus, cpu, tier, ...options.machine },
    balloon: options.balloon,
    display: options.display !== undefined,
    measure: options.profile !== undefined ? "stacks" : options.stats ? "tiers" : undefined,
    debug: options.gdb === undefined ? undefined : options.gdbWait ? "wait" : "run",
    semihosting: semihostingOf(options),
    ...guestOf(options, terminal),
    ...optional("dtb"),
    ...optional("bios"),
    loads: options.load.map(({ file, address }) => ({ file: load(file), address })),
    disks: disks.map((store, i) => ({ store, serial: options.disk[i]?.serial })),
    ...{ serial: terminal, terminalSize: terminal, entropy, wallClock, monotonic, inflate },
    artifacts: {
      native: loadPackageFile("build", "native.wasm"),
      interpreter: loadPackageFile("build", "interpreter.wasm"),
      handlers: new TextDecoder().decode(loadPackageFile("build", "interpreter.json")),
    },
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

/** The kernel, its RAM disk and its command line: the embedded Linux where the user gives neither kernel nor firmware. */
function guestOf(options: RunOptions, terminal: Terminal): Pick<MachineParts, "kernel" | "initrd" | "append"> {
  const append = options.append;
  const initrd = options.initrd === undefined ? {} : { initrd: load(options.initrd) };
  if (options.kernel !== undefined) return { kernel: load(options.kernel), ...initrd, append: append ?? "" };
  if (options.bios !== undefined) return { ...initrd, append: append ?? "" };
  const embedded = (name: string): NamedBytes => ({ name, bytes: loadPackageFile("guests", "embedded", name) });
  return {
    kernel: embedded("Image.gz"),
    initrd: embedded("initramfs.cpio.gz"),
    ...initrd,
    append: append ?? embeddedCommandLine(terminal, options.display !== undefined),
  };
}

/** A serial console has no window size: the embedded guest reads it from its command line. */
function embeddedCommandLine(terminal: Terminal, screen: boolean): string {
  const size = terminal.get();
  // The last one is what /dev/console is.
  return `${screen ? "console=tty0 " : ""}console=ttyAMA0 quiet${size ? ` atoll.rows=${size.rows} atoll.cols=${size.columns}` : ""}`;
}

function monitoredOf(
  machine: RunnableMachine,
  loop: RunLoop,
  screen: Pick<typeof import("./display.ts"), "screendump"> | undefined,
): Monitored {
  return {
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
    screendump: (file) => screen?.screendump(machine.display, file) ?? "there is no display; give --display\n",
    pressPowerKey: () => {
      machine.pressPowerKey();
      // The guest may be asleep, waiting for just this.
      loop.wake();
    },
    reset: () => {
      machine.reset();
      loop.wake();
    },
    quit: () => loop.stop("quit"),
  };
}

/** Runs with the terminal in raw mode, and gives it back however the run ends. */
async function onTerminal(terminal: Terminal, loop: RunLoop): Promise<RunEnd> {
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
  try {
    return await loop.run();
  } finally {
    restore();
  }
}
