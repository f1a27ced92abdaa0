// A client's session of the GDB remote serial protocol (Debugging with GDB, E). All-stop mode; CPUs are threads 1, 2, ...

import { SYSREG_NAMES } from "../../arch/sysreg-names.ts";
import { latin1 } from "../../base/text.ts";
import type { Action, Debugger, Stop, WatchKind } from "./debugger.ts";
import { MemoryPackets } from "./memory-packets.ts";
import { asciiBytes, encodePacket, fromHex, PACKET_BYTES, PacketReader, toHex } from "./packets.ts";
import { REG_PC, REG_SP, REG_SYSTEM } from "./registers.ts";
import { targetDescription } from "./target-description.ts";

/** What carries a session's bytes, and what it asks of the host. */
export interface SessionPort {
  /** False: it wants no more until `GdbSession.drained` is called. */
  write(bytes: Uint8Array): boolean;
  /** The machine may run again. */
  resumed(): void;
  /** Executes a line of the monitor's; gives the text to show. */
  monitor(line: string): string;
  /** The client wants the machine to end. */
  kill(): void;
}

// Signals by the protocol's numbers.
const SIGINT = 2;
const SIGTRAP = 5;
// Error numbers of replies: those of Linux, as other stubs answer.
const ERROR_REQUEST = "E16";
const ERROR_FULL = "E1c";

/** Registers that a stop reply brings along, as every client asks for them: the frame pointer, SP, PC. */
const EXPEDITED = [29, REG_SP, REG_PC];

/** Z and z: by their number. */
const WATCH_KINDS: Readonly<Record<string, WatchKind>> = { "2": "write", "3": "read", "4": "access" };
const WATCH_NAMES: Readonly<Record<WatchKind, string>> = { write: "watch", read: "rwatch", access: "awatch" };

/** What the bits of qqemu.sstep mean. */
const STEP_ENABLE = 1;
const STEP_NO_IRQ = 2;
const STEP_NO_TIMER = 4;

/** Characters of one console output packet, which are two hexadecimal digits each. */
const OUTPUT_AT_ONCE = (PACKET_BYTES >> 1) - 2;
/** A monitor command's output that goes to the client. */
const MOST_OUTPUT = 2 ** 20;

type Reply = string | Uint8Array;

export class GdbSession {
  readonly #debugger: Debugger;
  readonly #port: SessionPort;
  readonly #reader = new PacketReader();
  readonly #memory: MemoryPackets;
  readonly #description: Uint8Array;
  #acks = true;
  #last: Uint8Array = new Uint8Array(0);
  #open = true;
  #full = false;
  /** PEs that g and c requests are about. */
  #selected = 0;
  /** Undefined: all. */
  #continued: number | undefined;
  #stop: Stop = { cpu: 0, reason: "step" };
  #namesStops = { software: false, hardware: false };

  /** Stops the machine, as clients expect. */
  constructor(target: Debugger, port: SessionPort) {
    this.#debugger = target;
    this.#port = port;
    this.#memory = new MemoryPackets(target);
    this.#description = asciiBytes(targetDescription(target.sysregIds.map((id) => SYSREG_NAMES.get(id) as string)));
    target.onStop = (stop) => this.#stopped(stop);
    target.hold();
  }

  /** Bytes from the client. While `write` of the port has answered false, at most what was on its way may come. */
  receive(bytes: Uint8Array): void {
    this.#reader.feed(bytes);
    this.#proceed();
  }

  drained(): void {
    this.#full = false;
    this.#proceed();
  }

  /** The connection is gone: what runs goes on without breakpoints, what is stopped stays so for the next client. */
  closed(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#debugger.onStop = () => {};
    this.#debugger.clear();
    if (!this.#debugger.stopped) this.#debugger.resume();
  }

  /** The machine has ended, and the process will with this status. */
  exited(status: number): void {
    if (this.#open) this.#send(`W${hex2(status)}`);
  }

  #proceed(): void {
    while (this.#open && !this.#full) {
      const incoming = this.#reader.next();
      if (incoming === undefined) return;
      switch (incoming.kind) {
        case "packet":
          if (this.#acks) this.#write(asciiBytes("+"));
          this.#reply(this.#answer(incoming.body));
          break;
        case "damaged":
          if (this.#acks) this.#write(asciiBytes("-"));
          else this.#send(ERROR_REQUEST);
          break;
        case "nak":
          if (this.#acks) this.#write(this.#last);
          break;
        case "interrupt":
          this.#debugger.interrupt();
      }
    }
  }

  #write(bytes: Uint8Array): void {
    if (this.#open && bytes.length > 0 && !this.#port.write(bytes)) this.#full = true;
  }

  #reply(reply: Reply | undefined): void {
    if (reply !== undefined) this.#send(reply);
  }

  #send(body: Reply): void {
    this.#last = encodePacket(typeof body === "string" ? asciiBytes(body) : body);
    this.#write(this.#last);
  }

  /** Undefined: the reply comes later, if any. */
  #answer(body: Uint8Array): Reply | undefined {
    // X is followed by binary data; everything else is text.
    if (body[0] === 0x58) return this.#memory.writeBinary(this.#selected, body);
    const text = latin1(body);
    const rest = text.slice(1);
    switch (text[0]) {
      case "?":
        return this.#stopReply();
      case "g":
        return this.#readAll();
      case "G":
        return this.#writeAll(rest);
      case "p":
        return this.#readOne(rest);
      case "P":
        return this.#writeOne(rest);
      case "m":
        return this.#memory.read(this.#selected, rest);
      case "M":
        return this.#memory.write(this.#selected, rest);
      case "Z":
      case "z":
        return this.#point(text[0] === "Z", rest);
      case "H":
        return this.#select(rest);
      case "T":
        return this.#thread(rest) === undefined ? ERROR_REQUEST : "OK";
      case "c":
      case "s":
        return this.#legacyResume(text[0] === "s", rest);
      case "C":
      case "S":
        return this.#legacyResume(text[0] === "S", /;(.*)/.exec(rest)?.[1] ?? "");
      case "D":
        this.#debugger.clear();
        this.#resume();
        return "OK";
      case "k":
        this.#port.kill();
        return undefined;
      case "v":
        return this.#verbose(text);
      case "q":
      case "Q":
        return this.#query(text);
      default:
        return "";
    }
  }

  // Stops.

  #stopped(stop: Stop): void {
    this.#stop = stop;
    this.#selected = stop.cpu;
    this.#send(this.#stopReply());
  }

  #stopReply(): string {
    const { cpu, reason, watch } = this.#stop;
    let reply = `T${hex2(reason === "interrupt" ? SIGINT : SIGTRAP)}thread:${(cpu + 1).toString(16)};`;
    if (watch) reply += `${WATCH_NAMES[watch.kind]}:${watch.address.toString(16)};`;
    if (reason === "breakpoint") {
      const { state } = this.#registers(cpu);
      const hardware = this.#debugger.hasHardwareBreakpoint(state);
      if (hardware ? this.#namesStops.hardware : this.#namesStops.software)
        reply += hardware ? "hwbreak:;" : "swbreak:;";
    }
    for (const n of EXPEDITED) reply += `${hex2(n)}:${toHex(this.#registers(cpu).read(n) as Uint8Array)};`;
    return reply;
  }

  // Registers.

  #registers(cpu: number) {
    return this.#debugger.registers[cpu] as Debugger["registers"][number];
  }

  #readAll(): string {
    const registers = this.#registers(this.#selected);
    let reply = "";
    for (let n = 0; n < REG_SYSTEM; n++) reply += toHex(registers.read(n) as Uint8Array);
    return reply;
  }

  #writeAll(text: string): string {
    const bytes = fromHex(text);
    const registers = this.#registers(this.#selected);
    const sizes = Array.from({ length: REG_SYSTEM }, (_, n) => registers.size(n));
    if (bytes?.length !== sizes.reduce((sum, size) => sum + size)) return ERROR_REQUEST;
    let at = 0;
    for (const [n, size] of sizes.entries()) {
      registers.write(n, bytes.slice(at, at + size));
      at += size;
    }
    return "OK";
  }

  #readOne(text: string): string {
    const n = number(text);
    const bytes = n === undefined ? undefined : this.#registers(this.#selected).read(n);
    return bytes ? toHex(bytes) : ERROR_REQUEST;
  }

  #writeOne(text: string): string {
    const [, digits = "", value = ""] = /^([0-9a-f]+)=([0-9a-f]+)$/i.exec(text) ?? [];
    const n = number(digits);
    const bytes = fromHex(value);
    const ok = n !== undefined && bytes !== undefined && this.#registers(this.#selected).write(n, bytes);
    return ok ? "OK" : ERROR_REQUEST;
  }

  // Breakpoints.

  #point(insert: boolean, text: string): string {
    const [, type = "", digits = "", size = ""] = /^([0-4]),([0-9a-f]{1,16}),([0-9a-f]{1,8})(;.*)?$/i.exec(text) ?? [];
    if (type === "") return /^[0-4],/.test(text) ? ERROR_REQUEST : "";
    const address = BigInt(`0x${digits}`);
    const kind = WATCH_KINDS[type];
    if (kind === undefined) {
      const owner = type === "0" ? "software" : "hardware";
      if (insert) return this.#debugger.addBreakpoint(owner, address) ? "OK" : ERROR_FULL;
      this.#debugger.removeBreakpoint(owner, address);
      return "OK";
    }
    const length = BigInt(`0x${size}`);
    if (length === 0n) return ERROR_REQUEST;
    if (insert) return this.#debugger.addWatchpoint(kind, address, length) ? "OK" : ERROR_FULL;
    this.#debugger.removeWatchpoint(kind, address, length);
    return "OK";
  }

  // Threads.

  /** The PE of a thread; undefined: there is none. */
  #thread(text: string): number | undefined {
    const id = number(text);
    return id !== undefined && id >= 1 && id <= this.#debugger.cpus ? id - 1 : undefined;
  }

  #select(text: string): string {
    const id = text.slice(1);
    const any = id === "0" || id === "-1";
    const cpu = any ? this.#selected : this.#thread(id);
    if (cpu === undefined) return ERROR_REQUEST;
    if (text[0] === "c") this.#continued = any ? undefined : cpu;
    else if (text[0] === "g") this.#selected = cpu;
    else return ERROR_REQUEST;
    return "OK";
  }

  // Resuming.

  #resume(actions?: readonly (Action | undefined)[]): void {
    this.#debugger.resume(actions);
    this.#port.resumed();
  }

  /** c and s, with an address to go on at or without. */
  #legacyResume(step: boolean, address: string): Reply | undefined {
    if (!this.#debugger.stopped) return ERROR_REQUEST;
    const cpu = this.#continued ?? this.#selected;
    if (address !== "") {
      if (!/^[0-9a-f]{1,16}$/i.test(address)) return ERROR_REQUEST;
      const bytes = fromHex(address.padStart(16, "0")) as Uint8Array;
      this.#registers(cpu).write(REG_PC, bytes.reverse());
    }
    this.#resume(this.#debugger.registers.map((_, i) => legacyAction(step, i === cpu, this.#continued !== undefined)));
    return undefined;
  }

  #verbose(text: string): Reply | undefined {
    if (text === "vCont?") return "vCont;c;C;s;S;r";
    if (text.startsWith("vCont;")) {
      const actions = this.#debugger.stopped ? this.#actions(text.slice(6)) : undefined;
      if (actions?.some((action) => action !== undefined)) this.#resume(actions);
      else return ERROR_REQUEST;
      return undefined;
    }
    if (text.startsWith("vKill;") || text === "vKill") {
      this.#send("OK");
      this.#port.kill();
      return undefined;
    }
    return "";
  }

  /** The actions of vCont: the first that names a PE, or all, counts. Undefined: it is malformed. */
  #actions(text: string): (Action | undefined)[] | undefined {
    const actions = new Array<Action | undefined>(this.#debugger.cpus).fill(undefined);
    for (const part of text.split(";")) {
      const [, name = "", first = "", end = "", id = "-1"] =
        /^([cs]|[CS][0-9a-f]{2}|r([0-9a-f]{1,16}),([0-9a-f]{1,16}))(?::(-1|[0-9a-f]{1,8}))?$/i.exec(part) ?? [];
      if (name === "") return undefined;
      const action: Action =
        name[0]?.toLowerCase() === "c"
          ? { kind: "continue" }
          : name[0] === "r"
            ? { kind: "step", first: BigInt(`0x${first}`), end: BigInt(`0x${end}`) }
            : { kind: "step" };
      if (id === "-1") {
        for (const i of actions.keys()) actions[i] ??= action;
        continue;
      }
      const cpu = id === "0" ? this.#selected : this.#thread(id);
      if (cpu === undefined) return undefined;
      actions[cpu] ??= action;
    }
    return actions;
  }

  // Queries.

  #query(text: string): Reply | undefined {
    const [name = ""] = /^[^:;,=]*/.exec(text) ?? [];
    const rest = text.slice(name.length + 1);
    switch (name) {
      case "qSupported":
        return this.#supported(rest);
      case "QStartNoAckMode":
        // The client still acknowledges the reply, which does no harm.
        this.#acks = false;
        return "OK";
      case "qXfer":
        return this.#transfer(rest);
      case "qC":
        return `QC${(this.#selected + 1).toString(16)}`;
      case "qAttached":
        return "1";
      case "qfThreadInfo":
        return `m${Array.from({ length: this.#debugger.cpus }, (_, i) => (i + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo": {
        const cpu = this.#thread(rest);
        return cpu === undefined ? ERROR_REQUEST : toHex(asciiBytes(this.#debugger.describe(cpu)));
      }
      case "qRcmd":
        return this.#command(rest);
      case "qqemu.Supported":
        return "sstepbits;sstep;PhyMemMode";
      case "qqemu.sstepbits":
        return `ENABLE=${STEP_ENABLE},NOIRQ=${STEP_NO_IRQ},NOTIMER=${STEP_NO_TIMER}`;
      case "qqemu.sstep":
        return `0x${this.#stepFlags().toString(16)}`;
      case "Qqemu.sstep":
        return this.#setStepFlags(rest);
      case "qqemu.PhyMemMode":
        return this.#memory.physical ? "1" : "0";
      case "Qqemu.PhyMemMode":
        if (rest !== "0" && rest !== "1") return ERROR_REQUEST;
        this.#memory.physical = rest === "1";
        return "OK";
      default:
        return "";
    }
  }

  #supported(features: string): string {
    const theirs = features.split(";");
    this.#namesStops = { software: theirs.includes("swbreak+"), hardware: theirs.includes("hwbreak+") };
    const size = (PACKET_BYTES - 4).toString(16);
    return `PacketSize=${size};QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+`;
  }

  #transfer(text: string): string | Uint8Array {
    const [, annex, from = "", length = ""] =
      /^features:read:([^:]*):([0-9a-f]{1,8}),([0-9a-f]{1,8})$/i.exec(text) ?? [];
    if (annex === undefined) return "";
    if (annex !== "target.xml") return "E00";
    const start = number(from) as number;
    // Escapes may double it.
    const most = Math.min(number(length) as number, (PACKET_BYTES >> 1) - 8);
    const part = this.#description.subarray(start, start + most);
    const reply = new Uint8Array(part.length + 1);
    reply[0] = (start + part.length < this.#description.length ? "m" : "l").charCodeAt(0);
    reply.set(part, 1);
    return reply;
  }

  #stepFlags(): number {
    const { stepInterrupts, stepTime } = this.#debugger;
    return STEP_ENABLE | (stepInterrupts ? 0 : STEP_NO_IRQ) | (stepTime ? 0 : STEP_NO_TIMER);
  }

  #setStepFlags(text: string): string {
    const flags = /^(0x)?[0-9a-f]{1,2}$/i.test(text) ? Number.parseInt(text.replace(/^0x/i, ""), 16) : -1;
    if (flags < 0 || flags > (STEP_ENABLE | STEP_NO_IRQ | STEP_NO_TIMER)) return ERROR_REQUEST;
    this.#debugger.stepInterrupts = (flags & STEP_NO_IRQ) === 0;
    this.#debugger.stepTime = (flags & STEP_NO_TIMER) === 0;
    return "OK";
  }

  #command(digits: string): Reply {
    const bytes = fromHex(digits);
    if (bytes === undefined) return ERROR_REQUEST;
    const line = latin1(bytes);
    const text = this.#memory.command(line) ?? this.#port.monitor(line).slice(0, MOST_OUTPUT);
    for (let at = 0; at < text.length; at += OUTPUT_AT_ONCE) {
      this.#send(`O${toHex(asciiBytes(text.slice(at, at + OUTPUT_AT_ONCE)))}`);
    }
    return "OK";
  }
}

/** Of c and s: the PE that they are about, and with Hc of one PE only that one. */
function legacyAction(step: boolean, isIt: boolean, alone: boolean): Action | undefined {
  if (isIt && step) return { kind: "step" };
  return isIt || !alone ? { kind: "continue" } : undefined;
}

/** A number of up to 8 hexadecimal digits. */
function number(text: string): number | undefined {
  return /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : undefined;
}

function hex2(n: number): string {
  return (n & 0xff).toString(16).padStart(2, "0");
}
