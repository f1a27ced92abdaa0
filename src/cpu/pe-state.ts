import { CPU_STRIDE } from "./state-layout.ts";

/** The state of one PE in linear memory (state-layout.ts, sysreg-layout.ts), without BigInt: 64-bit slots by their halves. */
export class PeState {
  /** Address of the PE's block. */
  readonly cpu: number;
  readonly #words: Int32Array;

  /** `buffer`: of the machine's memory, which never grows. `bytes`: less than a block, for a copy of its first part. */
  constructor(buffer: ArrayBufferLike, cpu: number, bytes = CPU_STRIDE) {
    this.cpu = cpu;
    this.#words = new Int32Array(buffer, cpu, bytes >> 2);
  }

  /** A 32-bit word as a signed number; also the low half of a slot. */
  word(offset: number): number {
    return this.#words[offset >> 2] as number;
  }
  setWord(offset: number, value: number): void {
    this.#words[offset >> 2] = value;
  }
  /** The high half of a slot, signed. */
  high(offset: number): number {
    return this.#words[(offset >> 2) + 1] as number;
  }
  set64(offset: number, low: number, high: number): void {
    this.#words[offset >> 2] = low;
    this.#words[(offset >> 2) + 1] = high;
  }
  copy64(to: number, from: number): void {
    this.set64(to, this.word(from), this.high(from));
  }
  /** One more in a 64-bit slot that counts. */
  increment(offset: number): void {
    const index = offset >> 2;
    const low = ((this.#words[index] as number) + 1) | 0;
    this.#words[index] = low;
    if (low === 0) this.#words[index + 1] = (this.#words[index + 1] as number) + 1;
  }
  /** A slot as a number: exact below 2^53. */
  number(offset: number): number {
    return this.high(offset) * 2 ** 32 + (this.word(offset) >>> 0);
  }
  setNumber(offset: number, value: number): void {
    this.set64(offset, value | 0, Math.floor(value / 2 ** 32) | 0);
  }
}
