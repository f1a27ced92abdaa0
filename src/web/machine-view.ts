// One machine of the page: its console, what can be done with it, and what it does.

import { AtollError, Machine, type MachineConfiguration, type MachineEnd } from "../hosts/browser/index.ts";
import { DisplayView } from "./display-view.ts";
import { button, element } from "./element.ts";
import { folderShares, keepFolders } from "./folders.ts";
import { InspectorView } from "./inspector-view.ts";
import { attempt, report, say } from "./messages.ts";
import { linkOf } from "./share-link.ts";
import { diskFile, fileName, keepDisk, keepSnapshot, PARTS } from "./storage.ts";
import { TerminalView } from "./terminal-view.ts";

/** Keys that touch keyboards lack, and what they send. */
const KEYS = [
  ["Esc", "\x1b"],
  ["Tab", "\t"],
  ["^C", "\x03"],
  ["^D", "\x04"],
  ["↑", "\x1b[A"],
  ["↓", "\x1b[B"],
  ["←", "\x1b[D"],
  ["→", "\x1b[C"],
] as const;

const STATES = { paused: "paused", running: "running", ended: "off", closed: "closed" } as const;
/** Dim, as it is not the guest's. */
const BOOTED = "\x1b[2mStarted from a snapshot of the booted guest; New machine has a box to boot it.\x1b[m\r\n";
/** Instructions a second of a guest that does no more than its timers. */
const IDLE = 1e5;
/** Milliseconds between two looks at the counters. */
const PERIOD = 1000;

type Disk = NonNullable<MachineConfiguration["disk"]>[number];

/** Only one machine writes to what this browser keeps: another one gets a copy. */
async function ownDisk(file: Disk["file"]): Promise<Disk["file"]> {
  if (typeof file !== "object" || !("opfs" in file)) return file;
  return { opfs: await keepDisk(await diskFile(file.opfs)) };
}

async function ownChanges({ changes }: Disk): Promise<Pick<Disk, "changes">> {
  return changes ? { changes: { opfs: await keepDisk(await diskFile(changes.opfs)) } } : {};
}

export interface MachineViewOptions {
  readonly name: string;
  readonly configuration: MachineConfiguration;
  /** What it goes on from, in place of power-on, and what its terminal showed. */
  readonly snapshot?: { readonly file: Blob; readonly screen: string } | undefined;
  onClosed(view: MachineView): void;
  /** Another machine is wanted that goes on from here. */
  onFork(
    name: string,
    configuration: MachineConfiguration,
    snapshot: { readonly file: Blob; readonly screen: string },
  ): void;
}

export class MachineView {
  readonly place: HTMLElement;
  readonly name: string;
  readonly configuration: MachineConfiguration;
  readonly #options: MachineViewOptions;
  readonly #state = element("span", { className: "state" }, "starting");
  readonly #tools = element("div", { className: "tools" });
  readonly #run = button("Pause", () => this.#startOrPause(), { className: "run" });
  readonly #look = button(
    "Look inside",
    () => this.#look.setAttribute("aria-pressed", String(this.#inspector.toggle())),
    {
      title: "Registers, translation, exceptions, interrupts",
      attrs: { "aria-pressed": "false" },
    },
  );
  readonly #close = button("Close", () => this.close(), { title: "Ends the machine at once" });
  readonly #screen = element("div", { className: "screen" });
  readonly terminal: TerminalView;
  readonly #inspector: InspectorView;
  /** Nothing would be lost with the page: nothing was typed since the machine was started or saved. */
  isSaved = true;
  #machine: Machine | undefined;
  /** What was typed before the machine ran. */
  #early: Uint8Array[] | undefined = [];
  #display: DisplayView | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isBusy = false;
  #instructions = 0;
  #looked = 0;

  constructor(options: MachineViewOptions, parent: HTMLElement) {
    this.#options = options;
    this.name = options.name;
    this.configuration = options.configuration;
    const title = element("h2", {}, options.name);
    const keys = element(
      "div",
      { className: "keys", attrs: { role: "toolbar", "aria-label": "Keys" } },
      ...KEYS.map(([label, text]) => button(label, () => this.#type(new TextEncoder().encode(text)))),
    );
    this.place = element(
      "section",
      { className: "machine", attrs: { "aria-label": `Machine ${options.name}` } },
      element("div", { className: "bar" }, element("div", {}, title, this.#state), this.#tools),
      this.#screen,
      keys,
    );
    this.#inspector = new InspectorView(options.name, () => this.#machine);
    this.place.append(this.#inspector.place);
    // So that the terminal has its size before the guest is told.
    this.place.classList.toggle("with-display", options.configuration.display !== undefined);
    parent.append(this.place);
    this.terminal = new TerminalView(this.#screen, `Console of ${options.name}`);
    this.terminal.onInput((bytes) => this.#type(bytes));
    this.#tools.append(
      this.#run,
      button("Reset", () => this.#do((machine) => machine.reset()), { title: "To the state after power-on" }),
      button("Power", () => this.#do((machine) => machine.pressPowerKey()), { title: "Presses the power key" }),
      button("Save", () => this.#save(), { title: "Keeps a snapshot in this browser" }),
      button("Fork", () => this.#fork(), { title: "Another machine that goes on from here" }),
      this.#look,
      button("Share", () => this.#share(), { title: "A link that boots this" }),
      this.#close,
    );
  }

  /** The machine, once it is there. */
  get machine(): Machine | undefined {
    return this.#machine;
  }

  async start(): Promise<void> {
    try {
      const { snapshot } = this.#options;
      if (snapshot) this.terminal.write(new TextEncoder().encode(snapshot.screen.replaceAll("\n", "\r\n")));
      const machine = snapshot
        ? await Machine.restore(snapshot.file, this.configuration)
        : await Machine.create({ ...this.configuration, consoleSize: this.terminal.size });
      this.#machine = machine;
      this.place.dataset.state = machine.state;
      machine.on("output", (bytes) => this.terminal.write(bytes));
      machine.on("state", (state) => {
        this.place.dataset.state = state;
        this.#run.textContent = state === "running" ? "Pause" : state === "ended" ? "Start again" : "Run";
        this.#state.textContent = STATES[state];
      });
      machine.on("problem", ({ message }) => say("problem", `${this.name}: ${message}`));
      machine.on("ended", (end) => this.#ended(end));
      this.#showDisplay(machine);
      this.#timer = setInterval(() => attempt(() => this.#count()), PERIOD);
      if (!snapshot && (await machine.origin()) === "snapshot") this.terminal.write(new TextEncoder().encode(BOOTED));
      await machine.start();
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const bytes of early) this.#type(bytes);
      this.terminal.focus();
    } catch (error) {
      this.#state.textContent = "could not start";
      this.place.dataset.state = "failed";
      for (const tool of this.#tools.querySelectorAll("button")) tool.disabled = tool !== this.#close;
      report(error instanceof AtollError ? new Error(`${this.name} could not start: ${error.message}`) : error);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#inspector.close();
    this.#display?.close();
    await this.#machine?.close();
    this.terminal.close();
    this.place.remove();
    this.#options.onClosed(this);
  }

  #showDisplay(machine: Machine): void {
    this.#display = new DisplayView(machine, `Display of ${this.name}. Control, Alt and Escape lets the keyboard go.`);
    this.#screen.before(this.#display.place);
  }

  #ended(end: MachineEnd): void {
    const why = {
      off: "The guest has powered off.",
      reset: "The guest has reset the machine, as it does after a panic.",
      watchdog: "The guest did not refresh its watchdog in time.",
      exit: "The guest has ended.",
      error: end.reason === "error" ? `The machine has stopped: ${end.message}` : "",
    }[end.reason];
    say(end.reason === "error" ? "problem" : "note", `${this.name}: ${why}`);
  }

  #type(bytes: Uint8Array): void {
    this.isSaved = false;
    // What is typed before the machine runs waits for it, in its order.
    this.#early?.push(bytes);
    if (this.#early || !this.#machine || this.#machine.state === "closed") return;
    const writer = this.#machine.console.writable.getWriter();
    writer.write(bytes).catch(report);
    writer.releaseLock();
  }

  async #do(action: (machine: Machine) => Promise<unknown>): Promise<void> {
    try {
      if (this.#machine) await action(this.#machine);
    } catch (error) {
      report(error);
    }
    this.terminal.focus();
  }

  async #startOrPause(): Promise<void> {
    await this.#do((machine) => {
      if (machine.state === "running") return machine.pause();
      if (machine.state === "ended") return machine.reset();
      return machine.resume();
    });
  }

  async #save(): Promise<void> {
    const name = fileName(this.name);
    await this.#do(async (machine) => {
      const lost = this.#disks.find(({ file }) => file instanceof File)?.file as File | undefined;
      if (lost) {
        throw new Error(
          `${this.name} cannot be kept, because this browser does not keep its disk ${lost.name}: make a machine with "Keep the disk"`,
        );
      }
      await this.#meanwhile("saving", async () => {
        const parts = Object.fromEntries(
          PARTS.flatMap((part) => (this.configuration[part] instanceof Blob ? [[part, this.configuration[part]]] : [])),
        );
        await keepSnapshot(name, await machine.save(), this.terminal.screen, parts);
        await keepFolders(name, folderShares(this.configuration));
      });
      this.isSaved = true;
      say("note", `${this.name} is kept in this browser, under Stored.${this.#withoutChanges()}`);
    });
  }

  /** What was written to disks that only this machine has in memory is nowhere else. */
  #withoutChanges(): string {
    return this.#disks.some(({ snapshot }) => snapshot)
      ? " Its disk is there as it was given: if the guest has written to it, that is not kept."
      : "";
  }

  get #disks(): NonNullable<MachineConfiguration["disk"]> {
    return this.configuration.disk ?? [];
  }

  async #meanwhile<T>(what: string, action: () => Promise<T>): Promise<T> {
    const before = this.#state.textContent;
    this.#state.textContent = what;
    this.#isBusy = true;
    try {
      return await action();
    } finally {
      this.#isBusy = false;
      this.#state.textContent = before;
    }
  }

  async #fork(): Promise<void> {
    await this.#do((machine) =>
      this.#meanwhile("forking", async () => {
        const runs = machine.state === "running";
        // So that memory and disks are of the same moment.
        if (runs) await machine.pause();
        try {
          const file = await machine.save();
          const disk = await Promise.all(
            this.#disks.map(async (each) => ({ ...each, file: await ownDisk(each.file), ...(await ownChanges(each)) })),
          );
          this.#options.onFork(this.name, { ...this.configuration, disk }, { file, screen: this.terminal.screen });
          const without = this.#withoutChanges();
          if (without) say("note", `${this.name} has a fork.${without}`);
        } finally {
          if (runs) await machine.resume();
        }
      }),
    );
  }

  async #count(): Promise<void> {
    if (this.#machine?.state !== "running" || this.#isBusy) return;
    const counters = await this.#machine.statistics();
    const all = counters.find(({ section, name }) => section === "instructions" && name === "all")?.value ?? 0;
    const now = performance.now();
    const speed = (all - this.#instructions) / ((now - this.#looked) / 1000);
    if (this.#looked > 0 && this.#machine.state === "running") {
      this.#state.textContent =
        speed < IDLE ? "running, idle" : `running, ${(speed / 1e6).toFixed(1)} M instructions/s`;
    }
    this.#instructions = all;
    this.#looked = now;
  }

  async #share(): Promise<void> {
    const link = linkOf(this.configuration);
    if (link === undefined) {
      say(
        "note",
        `${this.name} has files of your computer, which no link can hold: put them on a web server and give their addresses.`,
      );
      return;
    }
    try {
      await navigator.clipboard.writeText(link);
      say("note", `The link is copied: ${link}`);
    } catch {
      say("note", `The link: ${link}`);
    }
  }
}
