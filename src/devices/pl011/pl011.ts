import type { AccessSize, Device, Line, SerialPort } from "../../bus/device.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";
import { PRIMECELL_SIZE, primeCellId } from "../primecell.ts";
import * as R from "./registers.ts";

/** Revision r1p5, the first with FIFOs of 32. */
const PERIPH_ID = [0x11, 0x10, 0x34, 0x00] as const;
const FIFO_DEPTH = 32;

const RESET_CR = R.CR_TXE | R.CR_RXE;
/** Half full, both ways. */
const RESET_IFLS = 0x12;

/**
 * PrimeCell UART (PL011), DDI 0183G. Its line is infinitely fast: what is written has been sent, and bytes that do not come at once do
 * not come within the receive timeout. The enable bits of CR are kept but nothing waits for them, because boot loaders leave a UART
 * enabled and early consoles rely on that.
 */
export class Pl011 implements Device {
  readonly size = PRIMECELL_SIZE;
  readonly #port: SerialPort;
  readonly #line: Line;

  readonly #fifo = new Uint16Array(FIFO_DEPTH);
  #first = 0;
  #level = 0;
  /** A character was lost because the FIFO was full: the next one has DR.OE. */
  #overrun = false;
  #rsr = 0;
  #ris = 0;
  /** Bits FR_CTS, FR_DSR, FR_DCD, FR_RI. */
  #modem = 0;
  #ilpr = 0;
  #ibrd = 0;
  #fbrd = 0;
  #lcrH = 0;
  #cr = 0;
  #ifls = 0;
  #imsc = 0;
  #dmacr = 0;

  constructor(port: SerialPort, line: Line) {
    this.#port = port;
    this.#line = line;
    this.reset();
    port.onReadable(() => this.#receive());
  }

  reset(): void {
    this.#first = this.#level = 0;
    this.#overrun = false;
    this.#rsr = this.#ris = this.#ilpr = this.#ibrd = this.#fbrd = this.#lcrH = this.#imsc = this.#dmacr = 0;
    this.#cr = RESET_CR;
    this.#ifls = RESET_IFLS;
    this.#modem = this.#modemLines();
    this.#receive();
  }

  save(): Saved {
    const fifo = Array.from({ length: this.#level }, (_, i) => this.#fifo[(this.#first + i) % FIFO_DEPTH] as number);
    return {
      ...{ fifo, overrun: this.#overrun, rsr: this.#rsr, ris: this.#ris, modem: this.#modem },
      ...{ ilpr: this.#ilpr, ibrd: this.#ibrd, fbrd: this.#fbrd, lcrH: this.#lcrH, cr: this.#cr },
      ...{ ifls: this.#ifls, imsc: this.#imsc, dmacr: this.#dmacr },
    };
  }

  restore(state: Fields): void {
    const register = (name: string): number => state.whole(name, 0xffff);
    const fifo = state.wholes("fifo", FIFO_DEPTH, 0xffff);
    this.#first = 0;
    this.#level = fifo.length;
    this.#fifo.set(fifo);
    this.#overrun = state.flag("overrun");
    this.#rsr = register("rsr");
    this.#ris = register("ris");
    this.#modem = register("modem");
    this.#ilpr = register("ilpr");
    this.#ibrd = register("ibrd");
    this.#fbrd = register("fbrd");
    this.#lcrH = register("lcrH");
    this.#cr = register("cr");
    this.#ifls = register("ifls");
    this.#imsc = register("imsc");
    this.#dmacr = register("dmacr");
  }

  resumed(): void {
    this.#receive();
  }

  read(offset: number, _bytes: AccessSize): number {
    switch (offset) {
      case R.DR:
        return this.#readData();
      case R.RSR_ECR:
        return this.#rsr;
      case R.FR:
        return this.#flags();
      case R.ILPR:
        return this.#ilpr;
      case R.IBRD:
        return this.#ibrd;
      case R.FBRD:
        return this.#fbrd;
      case R.LCR_H:
        return this.#lcrH;
      case R.CR:
        return this.#cr;
      case R.IFLS:
        return this.#ifls;
      case R.IMSC:
        return this.#imsc;
      case R.RIS:
        return this.#ris;
      case R.MIS:
        return this.#ris & this.#imsc;
      case R.DMACR:
        return this.#dmacr;
      default:
        return primeCellId(PERIPH_ID, offset);
    }
  }

  write(offset: number, _bytes: AccessSize, value: number): void {
    switch (offset) {
      case R.DR:
        this.#transmit(value & 0xff);
        break;
      case R.RSR_ECR:
        this.#rsr = 0;
        break;
      case R.ILPR:
        this.#ilpr = value & R.STORED[R.ILPR];
        break;
      case R.IBRD:
        this.#ibrd = value & R.STORED[R.IBRD];
        break;
      case R.FBRD:
        this.#fbrd = value & R.STORED[R.FBRD];
        break;
      case R.LCR_H:
        this.#writeLineControl(value & R.STORED[R.LCR_H]);
        break;
      case R.CR:
        this.#cr = value & R.STORED[R.CR];
        this.#updateModem();
        this.#receive();
        break;
      case R.IFLS:
        this.#ifls = value & R.STORED[R.IFLS];
        this.#updateReceiveInterrupts();
        break;
      case R.IMSC:
        this.#imsc = value & R.STORED[R.IMSC];
        break;
      case R.ICR:
        this.#ris &= ~value;
        break;
      case R.DMACR:
        this.#dmacr = value & R.STORED[R.DMACR];
        break;
    }
    this.#updateLine();
  }

  #flags(): number {
    const empty = this.#level === 0 ? R.FR_RXFE : 0;
    const full = this.#level >= this.#depth() ? R.FR_RXFF : 0;
    return this.#modem | empty | full | R.FR_TXFE;
  }

  /** Without FIFOs there is a holding register (LCR_H.FEN). */
  #depth(): number {
    return this.#lcrH & R.LCR_H_FEN ? FIFO_DEPTH : 1;
  }

  #trigger(): number {
    return this.#lcrH & R.LCR_H_FEN ? (R.RX_TRIGGER[this.#ifls >> 3] ?? FIFO_DEPTH / 2) : 1;
  }

  #readData(): number {
    if (this.#level === 0) return 0;
    const character = this.#fifo[this.#first] ?? 0;
    this.#first = (this.#first + 1) % FIFO_DEPTH;
    this.#level--;
    this.#rsr = character >> 8;
    this.#updateReceiveInterrupts();
    this.#receive();
    return character;
  }

  /** Takes from the outside what there is room for; none while the receiver listens to its own transmitter. */
  #receive(): void {
    if (!(this.#cr & R.CR_LBE)) {
      const room = this.#depth() - this.#level;
      if (room > 0) for (const byte of this.#port.read(room)) this.#push(byte);
    }
    this.#updateLine();
  }

  #push(character: number): void {
    if (this.#level >= this.#depth()) {
      this.#overrun = true;
      this.#ris |= R.INT_OE;
      return;
    }
    this.#fifo[(this.#first + this.#level) % FIFO_DEPTH] = character | (this.#overrun ? R.DR_OE : 0);
    this.#overrun = false;
    this.#level++;
    if (character & R.DR_BE) this.#ris |= R.INT_BE;
    this.#updateReceiveInterrupts();
  }

  /** RX while the level is at or above the trigger; RT while below it there is something, as the timeout is over at once. */
  #updateReceiveInterrupts(): void {
    const level = this.#level;
    const trigger = this.#trigger();
    this.#ris &= ~(R.INT_RX | R.INT_RT);
    if (level >= trigger) this.#ris |= R.INT_RX;
    else if (level > 0) this.#ris |= R.INT_RT;
    this.#updateLine();
  }

  #transmit(byte: number): void {
    if (this.#cr & R.CR_LBE) this.#push(byte);
    else this.#port.write(Uint8Array.of(byte));
    // The FIFO has passed its trigger level on the way to empty.
    this.#ris |= R.INT_TX;
  }

  #writeLineControl(value: number): void {
    const breakBegins = value & ~this.#lcrH & R.LCR_H_BRK;
    this.#lcrH = value;
    this.#level = Math.min(this.#level, this.#depth());
    if (breakBegins && this.#cr & R.CR_LBE) this.#push(R.DR_BE);
    this.#updateReceiveInterrupts();
    this.#receive();
  }

  /** A terminal that is on and connected; with CR.LBE, the outputs (3.3.8). */
  #modemLines(): number {
    if (!(this.#cr & R.CR_LBE)) return R.FR_CTS | R.FR_DSR | R.FR_DCD;
    const when = (output: number, input: number): number => (this.#cr & output ? input : 0);
    return when(R.CR_RTS, R.FR_CTS) | when(R.CR_DTR, R.FR_DSR) | when(R.CR_OUT1, R.FR_DCD) | when(R.CR_OUT2, R.FR_RI);
  }

  #updateModem(): void {
    const modem = this.#modemLines();
    const changed = modem ^ this.#modem;
    this.#modem = modem;
    if (changed & R.FR_CTS) this.#ris |= R.INT_CTS;
    if (changed & R.FR_DSR) this.#ris |= R.INT_DSR;
    if (changed & R.FR_DCD) this.#ris |= R.INT_DCD;
    if (changed & R.FR_RI) this.#ris |= R.INT_RI;
  }

  #updateLine(): void {
    this.#line.set((this.#ris & this.#imsc) !== 0);
  }
}
