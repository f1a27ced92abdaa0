// The hypervisor with domains, in this process.

import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inflate } from "../../src/hosts/node/inflate.ts";
import type { DomainConfig } from "../../src/hypervisor/domain.ts";
import type { HypervisorEvent } from "../../src/hypervisor/events.ts";
import { Hypervisor, type NodeParts } from "../../src/hypervisor/hypervisor.ts";
import { ROOT } from "./atoll.ts";

const build = (name: string): Uint8Array => readFileSync(join(ROOT, "build", name));
const MiB = 2 ** 20;

/** A domain's console, on a string. */
export class Console {
  shown = "";
  #typed: number[] = [];
  #readable = (): void => {};

  readonly serial = {
    write: (bytes: Uint8Array): void => {
      this.shown += Buffer.from(bytes).toString("latin1");
    },
    read: (max: number): Uint8Array => Uint8Array.from(this.#typed.splice(0, max)),
    onReadable: (listener: () => void): void => {
      this.#readable = listener;
    },
  };

  type(text: string): void {
    this.#typed.push(...Buffer.from(text, "latin1"));
    this.#readable();
  }
}

/** A hypervisor whose clock is the host's, and its events. */
export function hypervisor(changes: Partial<NodeParts> = {}): { node: Hypervisor; events: HypervisorEvent[] } {
  const start = performance.now();
  const node = new Hypervisor({
    memory: 768 * MiB,
    cpus: 1,
    cpu: "max",
    tier: "auto",
    entropy: { fill: (into) => void randomFillSync(into) },
    monotonic: () => (performance.now() - start) * 1e6,
    artifacts: {
      native: build("native.wasm"),
      interpreter: build("interpreter.wasm"),
      handlers: new TextDecoder().decode(build("interpreter.json")),
    },
    ...changes,
  });
  const events: HypervisorEvent[] = [];
  node.subscribe((event) => events.push(event));
  return { node, events };
}

/** A domain of nothing but a program at 0x40080000. */
export function bareMetal(
  name: string,
  code: Uint8Array,
  changes: Partial<DomainConfig> = {},
): [DomainConfig, Console] {
  const terminal = new Console();
  const config: DomainConfig = {
    name,
    memory: 16 * MiB,
    cpus: 1,
    kernel: { name: "code", bytes: code },
    append: "",
    loads: [],
    disks: [],
    serial: terminal.serial,
    terminalSize: { get: () => undefined, onChange: () => {} },
    entropy: { fill: (into) => void randomFillSync(into) },
    wallClock: { now: () => Date.now() },
    inflate,
    ...changes,
  };
  return [config, terminal];
}

const guest = (name: string): Uint8Array => readFileSync(join(ROOT, "guests", "embedded", name));

/** A domain with the embedded Linux. */
export function embeddedLinux(name: string, changes: Partial<DomainConfig> = {}): [DomainConfig, Console] {
  return bareMetal(name, guest("Image.gz"), {
    memory: 128 * MiB,
    initrd: { name: "initramfs", bytes: guest("initramfs.cpio.gz") },
    append: "console=ttyAMA0 quiet",
    ...changes,
  });
}

/** A clock of the machine's that is not the host's: nobody sleeps by it. */
export interface OtherClock {
  now(): number;
  skip(nanoseconds: number): void;
}

/** Runs until `condition`, sleeping as a host would; so many seconds at most. False: it did not come. */
export async function runUntil(
  node: Hypervisor,
  condition: () => boolean,
  seconds: number,
  clock?: OtherClock,
): Promise<boolean> {
  const now = (): number => (clock === undefined ? performance.now() : clock.now() / 1e6);
  const deadline = now() + seconds * 1000;
  while (!condition()) {
    if (now() > deadline) return false;
    const state = node.run(8);
    if (clock !== undefined) {
      if (state.kind === "idle") clock.skip(Math.min(state.nanoseconds, 50e6));
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    const sleep = state.kind === "idle" ? Math.min(state.nanoseconds / 1e6, 50) : 0;
    await new Promise((resolve) => (sleep >= 1 ? setTimeout(resolve, sleep) : setImmediate(resolve)));
  }
  return true;
}

/** A domain that runs a program of test/baremetal/domains, with a number for it. */
export function program(
  name: string,
  source: "hostile" | "victim" | "storm" | "fuzz" | "channel",
  argument: number,
  changes: Partial<DomainConfig> = {},
): [DomainConfig, Console] {
  const code = readFileSync(join(ROOT, "test", "baremetal", "domains", "bin", `${source}.bin`));
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(argument), true);
  return bareMetal(name, code, { loads: [{ file: { name: "argument", bytes }, address: 0x4007_0000 }], ...changes });
}

/** What a victim says when it is asked to end. Times in microseconds. */
export interface VictimReport {
  readonly spoiled: number;
  readonly strange: number;
  readonly exceptions: number;
  readonly ticks: number;
  readonly work: number;
  /** Interrupts of its doorbell. */
  readonly rings: number;
  readonly microseconds: number;
  readonly latest: number;
  /** Ticks that came less than 100 us, 1 ms, 5 ms, 20 ms late, and later. */
  readonly late: readonly number[];
}

/** Ends a victim, and gives its report; undefined when it does not answer. */
export async function victimReport(
  node: Hypervisor,
  console: Console,
  clock?: OtherClock,
): Promise<VictimReport | undefined> {
  console.type("q");
  const found = (): RegExpExecArray | null => /victim (spoiled=.*)\n/.exec(console.shown);
  if (!(await runUntil(node, () => found() !== null, 30, clock))) return undefined;
  const values = Object.fromEntries(
    (found()?.[1] ?? "").split(" ").map((text) => {
      const [name = "", value = ""] = text.split("=");
      const numbers = value.split(",").map((digits) => Number.parseInt(digits, 16));
      return [name, name === "late" ? numbers : numbers[0]];
    }),
  );
  return values as unknown as VictimReport;
}
