import { type Fields, hex, type Saved } from "../../snapshot/fields.ts";
import { cfiTable, ID_DEVICE, ID_MANUFACTURER, WRITE_BUFFER_WORDS } from "./cfi.ts";

// Commands of the Intel/Sharp extended command set (JEP137B, 0x0001).
const PROGRAM = 0x40;
const PROGRAM_ALTERNATE = 0x10;
const ERASE = 0x20;
const CLEAR_STATUS = 0x50;
const LOCK_SETUP = 0x60;
const READ_STATUS = 0x70;
const READ_ID = 0x90;
const READ_QUERY = 0x98;
const SUSPEND = 0xb0;
const CONFIRM = 0xd0;
const BUFFER_PROGRAM = 0xe8;
const READ_ARRAY = 0xff;
// The second command after LOCK_SETUP, besides CONFIRM, which unlocks.
const LOCK = 0x01;
const LOCK_DOWN = 0x2f;

// Status register.
const SR_READY = 1 << 7;
const SR_ERASE_ERROR = 1 << 5;
const SR_PROGRAM_ERROR = 1 << 4;
const SR_LOCKED = 1 << 1;
/** Both at once: the sequence of commands was none. */
const SR_SEQUENCE_ERROR = SR_ERASE_ERROR | SR_PROGRAM_ERROR;

const ERASED = 0xff;

/** What reading shows. */
const MODES = ["array", "status", "id", "query"] as const;
type Mode = (typeof MODES)[number];
/** What the next write is. */
const EXPECTED = ["command", "data", "erase", "lock", "count", "buffer", "confirm"] as const;
type Expected = (typeof EXPECTED)[number];

/** The contents of a bank. Offsets are below its length. */
export interface FlashBytes {
  readonly length: number;
  get(offset: number): number;
  put(offset: number, value: number): void;
}

/** Where a chip's words are: word `n` in the two bytes from 4n + 2 * lane of `bytes`. */
export interface ChipArray {
  readonly bytes: FlashBytes;
  readonly lane: 0 | 1;
  /** Words of an erase block, a power of two. */
  readonly blockWords: number;
  readonly readOnly: boolean;
  /** Called after bytes [start, start + length) of `bytes` may have changed. */
  readonly changed: (start: number, length: number) => void;
}

/** One 16-bit flash chip. All it does is done at once, so that it is always ready. Addresses are in words. */
export class FlashChip {
  readonly #array: ChipArray;
  readonly #words: number;
  readonly #cfi: Uint8Array;
  readonly #locked: Uint8Array;
  #mode: Mode = "array";
  #expected: Expected = "command";
  #status = SR_READY;

  readonly #bufferAddress = new Uint32Array(WRITE_BUFFER_WORDS);
  readonly #bufferData = new Uint16Array(WRITE_BUFFER_WORDS);
  #bufferCount = 0;
  #bufferFilled = 0;

  constructor(array: ChipArray) {
    this.#array = array;
    this.#words = array.bytes.length / 4;
    this.#cfi = cfiTable(this.#words * 2, array.blockWords * 2);
    this.#locked = new Uint8Array(this.#words / array.blockWords);
  }

  get readsArray(): boolean {
    return this.#mode === "array";
  }

  /** Whether the next write is data for the array, and no command. */
  get takesData(): boolean {
    return this.#expected === "data" || this.#expected === "buffer";
  }

  /** To the state after power-on; the array keeps what it has. */
  reset(): void {
    this.#mode = "array";
    this.#expected = "command";
    this.#status = SR_READY;
    this.#locked.fill(0);
  }

  save(): Saved {
    const filled = this.#bufferFilled;
    return {
      ...{ mode: this.#mode, expected: this.#expected, status: this.#status, locked: hex(this.#locked) },
      count: this.#bufferCount,
      addresses: [...this.#bufferAddress.subarray(0, filled)],
      data: [...this.#bufferData.subarray(0, filled)],
    };
  }

  restore(state: Fields): void {
    this.#mode = state.oneOf("mode", ...MODES);
    this.#expected = state.oneOf("expected", ...EXPECTED);
    this.#status = state.whole("status", 0xff);
    this.#locked.set(state.bytes("locked", this.#locked.length, this.#locked.length));
    const addresses = state.wholes("addresses", WRITE_BUFFER_WORDS, this.#words - 1);
    const data = state.wholes("data", WRITE_BUFFER_WORDS, 0xffff);
    if (data.length !== addresses.length) throw state.wrong("data");
    this.#bufferAddress.set(addresses);
    this.#bufferData.set(data);
    this.#bufferFilled = addresses.length;
    // What fills the buffer ends when it is full, and only full is it programmed.
    this.#bufferCount = state.whole("count", 0x1_0000);
    const least = this.#expected === "buffer" ? addresses.length + 1 : addresses.length;
    const most = this.#expected === "buffer" ? WRITE_BUFFER_WORDS : this.#bufferCount;
    if (this.#expected !== "command" && (this.#bufferCount < least || this.#bufferCount > most))
      throw state.wrong("count");
  }

  read(address: number): number {
    switch (this.#mode) {
      case "array":
        return this.#word(address);
      case "status":
        return this.#status;
      case "id":
        return this.#identification(address);
      case "query":
        return this.#cfi[address & 0xff] ?? 0;
    }
  }

  write(address: number, value: number): void {
    switch (this.#expected) {
      case "command":
        this.#command(value & 0xff);
        break;
      case "data":
        this.#expected = "command";
        if (this.#mayChange(address, SR_PROGRAM_ERROR)) this.#program(address, value);
        break;
      case "erase":
        this.#expected = "command";
        if ((value & 0xff) !== CONFIRM) this.#status |= SR_SEQUENCE_ERROR;
        else if (this.#mayChange(address, SR_ERASE_ERROR)) this.#erase(address);
        break;
      case "lock":
        this.#expected = "command";
        this.#lock(address, value & 0xff);
        break;
      case "count":
        // The number of words less one.
        this.#bufferCount = value + 1;
        this.#bufferFilled = 0;
        if (this.#bufferCount > WRITE_BUFFER_WORDS) this.#sequenceError();
        else this.#expected = "buffer";
        break;
      case "buffer":
        this.#bufferAddress[this.#bufferFilled] = address;
        this.#bufferData[this.#bufferFilled] = value;
        if (++this.#bufferFilled === this.#bufferCount) this.#expected = "confirm";
        break;
      case "confirm":
        this.#expected = "command";
        if ((value & 0xff) === CONFIRM) this.#programBuffer();
        else this.#status |= SR_SEQUENCE_ERROR;
        break;
    }
  }

  #command(command: number): void {
    this.#mode = "status";
    switch (command) {
      case READ_ARRAY:
        this.#mode = "array";
        break;
      case READ_ID:
        this.#mode = "id";
        break;
      case READ_QUERY:
        this.#mode = "query";
        break;
      case CLEAR_STATUS:
        this.#status = SR_READY;
        break;
      case PROGRAM:
      case PROGRAM_ALTERNATE:
        this.#expected = "data";
        break;
      case ERASE:
        this.#expected = "erase";
        break;
      case LOCK_SETUP:
        this.#expected = "lock";
        break;
      case BUFFER_PROGRAM:
        this.#expected = "count";
        break;
      case READ_STATUS:
      // Nothing is ever under way that could be suspended or resumed.
      case SUSPEND:
      case CONFIRM:
        break;
      default:
        // 0xf0 among them, which ends what was under way with other command sets: software that probes sends it.
        this.#mode = "array";
    }
  }

  #identification(address: number): number {
    switch (address & (this.#array.blockWords - 1)) {
      case 0:
        return ID_MANUFACTURER;
      case 1:
        return ID_DEVICE;
      case 2:
        return this.#locked[this.#block(address)] ?? 0;
      default:
        return 0;
    }
  }

  #block(address: number): number {
    return Math.floor(address / this.#array.blockWords);
  }

  /** Notes why not in the status register. */
  #mayChange(address: number, error: number): boolean {
    if (!this.#array.readOnly && this.#locked[this.#block(address)] === 0) return true;
    this.#status |= error | SR_LOCKED;
    return false;
  }

  /** Programming only ever clears bits. */
  #program(address: number, value: number): void {
    const { bytes, changed } = this.#array;
    const at = this.#byteAddress(address);
    bytes.put(at, bytes.get(at) & value);
    bytes.put(at + 1, bytes.get(at + 1) & (value >> 8));
    changed(at, 2);
  }

  #programBuffer(): void {
    const block = this.#block(this.#bufferAddress[0] ?? 0);
    for (let i = 0; i < this.#bufferCount; i++) {
      if (this.#block(this.#bufferAddress[i] ?? 0) !== block) {
        this.#status |= SR_SEQUENCE_ERROR;
        return;
      }
    }
    if (!this.#mayChange(this.#bufferAddress[0] ?? 0, SR_PROGRAM_ERROR)) return;
    for (let i = 0; i < this.#bufferCount; i++) this.#program(this.#bufferAddress[i] ?? 0, this.#bufferData[i] ?? 0);
  }

  #erase(address: number): void {
    const { bytes, blockWords, changed } = this.#array;
    const first = this.#byteAddress(this.#block(address) * blockWords);
    for (let at = first; at < first + blockWords * 4; at += 4) {
      bytes.put(at, ERASED);
      bytes.put(at + 1, ERASED);
    }
    changed(first, blockWords * 4 - 2);
  }

  #lock(address: number, command: number): void {
    const block = this.#block(address);
    if (command === CONFIRM) this.#locked[block] = 0;
    else if (command === LOCK || command === LOCK_DOWN) this.#locked[block] = 1;
    else this.#status |= SR_SEQUENCE_ERROR;
  }

  #sequenceError(): void {
    this.#expected = "command";
    this.#status |= SR_SEQUENCE_ERROR;
  }

  #word(address: number): number {
    const at = this.#byteAddress(address);
    const { bytes } = this.#array;
    return bytes.get(at) | (bytes.get(at + 1) << 8);
  }

  #byteAddress(address: number): number {
    return address * 4 + this.#array.lane * 2;
  }
}
