// What hosts need of a machine: parts to make it of, and a handful of verbs. A host builds MachineParts, a board makes a
// RunnableMachine of them, and the host's run loop drives it.

import type { SerialChannel } from "../bus/channel.ts";
import type { BlockStore, EntropySource, SerialPort, TerminalSize, WallClock } from "../bus/device.ts";
import type { Display } from "../bus/display.ts";
import type { SharedFolder } from "../bus/folder.ts";
import type { InputPort } from "../bus/input.ts";
import type { StreamHost } from "../bus/streams.ts";
import type { CPU_MODELS } from "../contract/limits.ts";
import type { KeepRegions } from "../engine/engine.ts";
import type { StartRegionThread } from "../engine/region-thread.ts";
import type { ReleasePages } from "../memory/page-release.ts";
import type { NetworkLink } from "../network/link.ts";
import type { SemihostingHost } from "./semihosting/host.ts";
import type { TraceOptions } from "./trace/options.ts";

/** A file that the host read for the machine, and what its user calls it (for messages). */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export type CpuModel = (typeof CPU_MODELS)[number];
export type GicVersion = 2 | 3;
/** `auto` interprets, and translates what runs often. The others are for tests. */
export type Tier = "auto" | "interpreter" | "translator";

/** Everything that a machine is made of. */
export interface MachineParts {
  /** Bytes of RAM, a multiple of 4096. */
  readonly memory: number;
  readonly cpus: number;
  readonly cpu: CpuModel;
  readonly gicVersion: GicVersion;
  /** Whether the PEs have EL2 for the guest: a kernel starts there. */
  readonly virtualization?: boolean | undefined;
  /** Whether there are EL3 and Secure state, with memory and devices of its own. */
  readonly secure?: boolean | undefined;
  readonly tier: Tier;
  /** False where the host has no memory that threads share. */
  readonly sharedMemory?: boolean | undefined;
  /** Asks the host to back the machine's memory by large pages. */
  readonly largePages?: ((memory: WebAssembly.Memory) => void) | undefined;
  /** Gives the host back what the balloon has of RAM. */
  readonly releasePages?: ReleasePages | undefined;
  /** What is measured while the machine runs, which costs some of its speed: time and instructions by tier, or call stacks, too. */
  readonly measure?: "tiers" | "stacks" | undefined;
  readonly trace?: TraceOptions | undefined;

  /** Whether the machine has a debugger, and whether it waits for it before the first instruction. */
  readonly debug?: "run" | "wait" | undefined;
  /** What HLT #0xF000 reaches; absent: nothing, it is UNDEFINED. */
  readonly semihosting?: SemihostingHost | undefined;

  readonly kernel?: NamedBytes;
  readonly initrd?: NamedBytes;
  /** Kernel command line. */
  readonly append: string;
  /** Device tree to give to the guest in place of the board's own. */
  readonly dtb?: NamedBytes;
  /** Firmware, placed in flash at the reset vector. */
  readonly bios?: NamedBytes;
  /** Reads what of these files was left out for now. To be called before a machine that was restored is reset or asked for its device tree. */
  readonly readToBoot?: (() => Promise<void>) | undefined;
  /** Files to be placed in RAM at an address, at power-on and after each reset. */
  readonly loads: readonly { readonly file: NamedBytes; readonly address: number }[];

  /** `serial`: of the disk, as the guest sees it, at most 20 ASCII characters. */
  readonly disks: readonly { readonly store: BlockStore; readonly serial?: string | undefined }[];
  /** What each network interface is plugged into. */
  readonly networks?: readonly NetworkLink[];
  /** Folders, and the tags by which a guest mounts them with 9p. */
  readonly shares?: readonly { readonly tag: string; readonly folder: SharedFolder }[] | undefined;
  /** What the guest's vsock sockets are connected to, and its CID: CID_MIN to CID_MAX. */
  readonly vsock?: { readonly host: StreamHost; readonly cid: number } | undefined;
  /** Serial ports that are no consoles, and the names by which the guest finds them; PORTS_MAX at most. */
  readonly serialPorts?: readonly { readonly name: string; readonly channel: SerialChannel }[] | undefined;
  /** Whether there is a memory balloon. */
  readonly balloon?: boolean | undefined;
  /** Whether there is a generic watchdog. */
  readonly watchdog?: boolean | undefined;
  /** Whether there are a display, a keyboard and a pointer. */
  readonly display?: boolean | undefined;
  readonly serial: SerialPort;
  readonly terminalSize: TerminalSize;
  readonly entropy: EntropySource;
  readonly wallClock: WallClock;
  /** Nanoseconds of a clock that never goes back, from any start. */
  readonly monotonic: () => number;

  /**
   * Starts a thread that translates code while the guest runs. Absent: the guest's own thread does, and so an execution does not depend on
   * how fast the host is.
   */
  readonly regionThread?: StartRegionThread | undefined;
  /** Translations of earlier runs, where there is no such thread. */
  readonly keepRegions?: KeepRegions | undefined;

  readonly artifacts: Artifacts;
  readonly inflate: Inflate;
}

/** build/native.wasm and build/interpreter.wasm, which may be compiled for shared memory already, and the interpreter's list of handlers. */
export interface Artifacts {
  readonly native: Uint8Array | WebAssembly.Module;
  readonly interpreter: Uint8Array | WebAssembly.Module;
  readonly handlers: string;
}

/** Decompresses; throws BadInput where the data is damaged or the result would be more than `limit` bytes. */
export type Inflate = (format: "gzip" | "zstd", bytes: Uint8Array, limit: number) => Uint8Array;

/**
 * What the user gave cannot be used: a file of the wrong kind, too little memory. The message is one line that says what to do,
 * without the program's name.
 */
export class BadInput extends Error {
  override readonly name = "BadInput";
}

/** How a slice ended. */
export type RunState =
  /** There is more to run now. */
  | { readonly kind: "running" }
  /** All PEs wait; the next timer is due in so many nanoseconds (Infinity: only input can wake them). */
  | { readonly kind: "idle"; readonly nanoseconds: number }
  /** The guest powered the machine off (PSCI SYSTEM_OFF). */
  | { readonly kind: "off" }
  /** The guest ended with this status (semihosting's SYS_EXIT). */
  | { readonly kind: "exit"; readonly status: number }
  /** The guest asked for a reset (PSCI SYSTEM_RESET); `reset()` performs it. */
  | { readonly kind: "reset" }
  /** The guest did not refresh its watchdog in time. The next slice goes on, unless there is a `reset()` before. */
  | { readonly kind: "watchdog" };

export interface RunnableMachine {
  /** Runs for about so many milliseconds of host time, less when all PEs wait or the guest ends. */
  run(milliseconds: number): RunState;
  /** To the state after power-on, with the same parts; a machine that was restored is `readyToBoot` first. */
  reset(): void;
  /** Reads what a machine that was restored has not needed until now. @throws what reading it throws. */
  readyToBoot?(): Promise<void>;
  /** The device tree blob that the guest is given. */
  deviceTree(): Uint8Array;
  /** Presses and lets go the power key (PL061, gpio-keys): a guest that listens to it shuts down. */
  pressPowerKey(): void;
  /** Registers of every PE, for people. */
  registers(): string;
  /** The physical memory map, for people. */
  memoryMap(): string;
  /** The memory balloon, where parts.balloon asks for it. */
  readonly balloon?: MemoryBalloon | undefined;
  /** What the guest shows, and its keyboard and pointer, where parts.display asks for them. */
  readonly display?: Display | undefined;
  readonly input?: InputPort | undefined;
  /** Counters since power-on. */
  statistics(): readonly Statistic[];
}

export interface MemoryBalloon {
  /** Asks the guest to do with that many bytes of RAM, at most all. */
  setTarget(bytes: number): void;
  /** For people. */
  describe(): string;
}

/** A counter. Its section and name are for people. */
export interface Statistic {
  readonly section: string;
  readonly name: string;
  readonly value: number;
  readonly unit: "count" | "seconds" | "bytes";
}
