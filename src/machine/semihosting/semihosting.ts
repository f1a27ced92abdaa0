// Arm semihosting ("Semihosting for AArch32 and AArch64", release 3.0): what HLT #0xF000 asks for with the operation's number in W0 and its
// parameters at X1. The result is in X0.

import { utf8 } from "../../base/text.ts";
import type { WallClock } from "../../bus/device.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import type { SemihostingPort } from "../../cpu/ports.ts";
import { HALTED, X } from "../../cpu/state-layout.ts";
import type { SwitchedConsole } from "../console-switch.ts";
import type { GuestAccess } from "../guest-access.ts";
import type { OpenMode, SemihostingHost } from "./host.ts";
import { BadParameter, MOST_BYTES, Parameters } from "./parameters.ts";
import { ConsoleStream, FeatureStream, FileStream, NOT_YET, type Stream } from "./streams.ts";

// Operations.
const SYS_OPEN = 0x01;
const SYS_CLOSE = 0x02;
const SYS_WRITEC = 0x03;
const SYS_WRITE0 = 0x04;
const SYS_WRITE = 0x05;
const SYS_READ = 0x06;
const SYS_READC = 0x07;
const SYS_ISERROR = 0x08;
const SYS_ISTTY = 0x09;
const SYS_SEEK = 0x0a;
const SYS_FLEN = 0x0c;
const SYS_TMPNAM = 0x0d;
const SYS_REMOVE = 0x0e;
const SYS_RENAME = 0x0f;
const SYS_CLOCK = 0x10;
const SYS_TIME = 0x11;
const SYS_SYSTEM = 0x12;
const SYS_ERRNO = 0x13;
const SYS_GET_CMDLINE = 0x15;
const SYS_HEAPINFO = 0x16;
const SYS_EXIT = 0x18;
const SYS_EXIT_EXTENDED = 0x20;
const SYS_ELAPSED = 0x30;
const SYS_TICKFREQ = 0x31;

const ADP_STOPPED_APPLICATION_EXIT = 0x20026n;

/** Elapsed time is in nanoseconds. */
const TICKS_A_SECOND = 1_000_000_000n;
const NANOSECONDS_A_CENTISECOND = 1e7;

// Linux's numbers, as C libraries for semihosting expect them.
const EPERM = 1;
const ENOENT = 2;
const EIO = 5;
const EBADF = 9;
const EFAULT = 14;
const EINVAL = 22;
const EMFILE = 24;
const ESPIPE = 29;
const ERRNO: Readonly<Record<string, number>> = {
  EPERM,
  ENOENT,
  EIO,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL,
  EMFILE,
  ENOSPC: 28,
  EROFS: 30,
  ENAMETOOLONG: 36,
  ELOOP: 40,
};

const MOST_HANDLES = 256;

/** The modes of SYS_OPEN are those of fopen(): r, rb, r+, r+b, w, wb, w+, w+b, a, ab, a+, a+b. */
const MODES: readonly OpenMode[] = ["read", "write", "append"];

export interface SemihostingOptions {
  readonly host: SemihostingHost;
  /** By index of the PE. */
  readonly states: readonly PeState[];
  readonly access: GuestAccess;
  readonly console: SwitchedConsole;
  readonly wallClock: WallClock;
  /** Nanoseconds since power-on. */
  readonly now: () => number;
  /** Where a program may have its heap and stack; undefined: nobody knows. */
  readonly heap: () => { readonly base: number; readonly limit: number } | undefined;
  /** The guest ends with this status. */
  readonly exit: (status: number) => void;
}

/** What an operation gives: X0, or that it has to wait. */
type Result = bigint | number | typeof NOT_YET;

export class Semihosting implements SemihostingPort {
  readonly #options: SemihostingOptions;
  readonly #streams = new Map<number, Stream>();
  readonly #waiting = new Set<PeState>();
  #errno = 0;

  constructor(options: SemihostingOptions) {
    this.#options = options;
    options.console.onReadable(() => this.#wake());
  }

  /** Closes what the guest has opened: it starts anew. */
  reset(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#waiting.clear();
    this.#errno = 0;
  }

  call(index: number): boolean {
    const state = this.#options.states[index] as PeState;
    const result = this.#attempt(state);
    if (result === NOT_YET) {
      this.#waiting.add(state);
      return false;
    }
    const value = BigInt.asUintN(64, BigInt(result));
    state.set64(X, Number(value & 0xffff_ffffn) | 0, Number(value >> 32n) | 0);
    return true;
  }

  #wake(): void {
    for (const state of this.#waiting) state.setWord(HALTED, 0);
    this.#waiting.clear();
  }

  #attempt(state: PeState): Result {
    try {
      return this.#operate(state.word(X), new Parameters(this.#options.access, state));
    } catch (error) {
      if (error instanceof BadParameter) return this.#fail(EFAULT);
      return this.#fail(ERRNO[(error as { code?: string }).code ?? ""] ?? EIO);
    }
  }

  #fail(errno: number): -1 {
    this.#errno = errno;
    return -1;
  }

  #operate(operation: number, p: Parameters): Result {
    const { console, now, wallClock } = this.#options;
    switch (operation) {
      case SYS_OPEN:
        return this.#open(p);
      case SYS_CLOSE:
        return this.#close(p.number(0));
      case SYS_WRITEC:
        console.write(p.bytes(p.operand, 1));
        return 0;
      case SYS_WRITE0:
        console.write(p.textAt(p.operand));
        return 0;
      case SYS_WRITE:
        return this.#write(p);
      case SYS_READ:
        return this.#read(p);
      case SYS_READC: {
        const byte = new Uint8Array(1);
        return new ConsoleStream(console, "in").read(byte) === NOT_YET ? NOT_YET : (byte[0] as number);
      }
      case SYS_ISERROR:
        return BigInt.asIntN(64, p.field(0)) < 0n ? 1 : 0;
      case SYS_ISTTY:
        return this.#on(p, (stream) => (stream.isConsole ? 1 : 0));
      case SYS_SEEK: {
        const at = p.number(1);
        return this.#on(p, (stream) => (stream.seek(at) ? 0 : this.#fail(ESPIPE)));
      }
      case SYS_FLEN:
        return this.#on(p, ({ length }) => length?.() ?? this.#fail(EINVAL));
      case SYS_TMPNAM:
        return this.#temporaryName(p);
      case SYS_REMOVE:
        this.#files().remove(name(p.bytes(p.field(0), p.number(1))));
        return 0;
      case SYS_RENAME:
        this.#files().rename(name(p.bytes(p.field(0), p.number(1))), name(p.bytes(p.field(2), p.number(3))));
        return 0;
      case SYS_CLOCK:
        return Math.floor(now() / NANOSECONDS_A_CENTISECOND);
      case SYS_TIME:
        return Math.floor(wallClock.now() / 1000);
      case SYS_SYSTEM:
        // A guest runs nothing on its host.
        return this.#fail(EPERM);
      case SYS_ERRNO:
        return this.#errno;
      case SYS_GET_CMDLINE:
        return this.#commandLine(p);
      case SYS_HEAPINFO:
        return this.#heapInfo(p);
      case SYS_EXIT:
      case SYS_EXIT_EXTENDED:
        return this.#exit(p);
      case SYS_ELAPSED:
        p.setField(0, BigInt(Math.floor(now())));
        return 0;
      case SYS_TICKFREQ:
        return TICKS_A_SECOND;
      default:
        return this.#fail(EINVAL);
    }
  }

  // Files.

  #files() {
    const { files } = this.#options.host;
    if (files === undefined) throw Object.assign(new Error("no directory was given"), { code: "EACCES" });
    return files;
  }

  #open(p: Parameters): Result {
    const mode = p.number(1);
    const kind = MODES[mode >> 2];
    const file = name(p.bytes(p.field(0), p.number(2)));
    if (kind === undefined) return this.#fail(EINVAL);
    let handle = 1;
    while (this.#streams.has(handle)) handle++;
    if (handle > MOST_HANDLES) return this.#fail(EMFILE);
    this.#streams.set(handle, this.#stream(file, kind, (mode & 2) !== 0));
    return handle;
  }

  #stream(file: string, mode: OpenMode, update: boolean): Stream {
    // Stdin, stdout and, by the extension SH_EXT_STDOUT_STDERR, stderr.
    if (file === ":tt") return new ConsoleStream(this.#options.console, mode === "read" ? "in" : "out");
    if (file === ":semihosting-features") {
      if (mode === "read" && !update) return new FeatureStream();
      throw Object.assign(new Error("read-only"), { code: "EACCES" });
    }
    return new FileStream(this.#files().open(file, mode, update));
  }

  #on(p: Parameters, act: (stream: Stream) => Result): Result {
    const stream = this.#streams.get(p.number(0));
    return stream ? act(stream) : this.#fail(EBADF);
  }

  #close(handle: number): Result {
    const stream = this.#streams.get(handle);
    if (stream === undefined) return this.#fail(EBADF);
    this.#streams.delete(handle);
    stream.close();
    return 0;
  }

  /** Gives how many bytes were not written. */
  #write(p: Parameters): Result {
    const length = p.number(2);
    const bytes = p.bytes(p.field(1), Math.min(length, MOST_BYTES));
    return this.#on(p, (stream) => length - stream.write(bytes));
  }

  /** Gives how many bytes were not read: all of them at the end of the file. */
  #read(p: Parameters): Result {
    const address = p.field(1);
    const length = p.number(2);
    return this.#on(p, (stream) => {
      const bytes = new Uint8Array(Math.min(length, MOST_BYTES));
      const count = stream.read(bytes);
      if (count === NOT_YET) return NOT_YET;
      p.store(address, bytes.subarray(0, count));
      return length - count;
    });
  }

  #temporaryName(p: Parameters): Result {
    const text = utf8(`${this.#files().temporaryName(p.number(1) & 0xff)}\0`);
    if (text.length > p.number(2)) return this.#fail(EINVAL);
    p.store(p.field(0), text);
    return 0;
  }

  // The program.

  #commandLine(p: Parameters): Result {
    const text = utf8(`${this.#options.host.commandLine}\0`);
    if (text.length > p.number(1)) return this.#fail(EINVAL);
    p.store(p.field(0), text);
    p.setField(1, BigInt(text.length - 1));
    return 0;
  }

  /** Heap base and limit, stack base and limit: the one grows up, the other down in the same memory. Zeroes: nobody knows. */
  #heapInfo(p: Parameters): Result {
    const { base, limit } = this.#options.heap() ?? { base: 0, limit: 0 };
    p.storeNumbers(p.field(0), BigInt(base), BigInt(limit), BigInt(limit), BigInt(base));
    return 0;
  }

  /** On A64 both have a reason and a subcode, which for an application's exit is its status. */
  #exit(p: Parameters): Result {
    const status = p.field(0) === ADP_STOPPED_APPLICATION_EXIT ? Number(p.field(1) & 0xffn) : 1;
    this.#options.exit(status);
    return 0;
  }
}

/** @throws BadParameter when it is no text. */
function name(bytes: Uint8Array): string {
  try {
    const text = decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
    if (!text.includes("\0")) return text;
  } catch {
    // It is not UTF-8.
  }
  throw new BadParameter();
}
