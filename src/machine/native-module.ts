import type { Bus } from "../bus/bus.ts";
import type { PeState } from "../cpu/pe-state.ts";
import { ARG0, ARG1, CPU_STRIDE, RESULT, RESULT_HI } from "../cpu/state-layout.ts";
import { CPU_BASE } from "../memory/linear-layout.ts";
import type { Native, NativeHost, NativeMemory, NativeOutside } from "../vmsa/native.ts";
import { instantiate, moduleFor } from "../wasm/instantiate.ts";

export interface NativeModuleOptions {
  /** native.wasm. */
  readonly bytes: Uint8Array | WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Of every PE. */
  readonly states: readonly PeState[];
  readonly bus: Bus;
  /** Nanoseconds since power-on. */
  readonly now: () => number;
}

/** An instance of native.wasm, with what it asks of its host: the bus and the time. */
export class NativeModule {
  readonly exports: Native & NativeOutside & NativeMemory & Readonly<Record<string, unknown>>;
  /** Index of the PE that made the access which is or was last on the bus. */
  currentCpu = 0;
  /** Whether that access is Secure. */
  currentSecure = false;

  constructor({ bytes, memory, states, bus, now }: NativeModuleOptions) {
    // 16 bytes each: ARG1 and ARG2, RESULT and RESULT_HI.
    const words = (offset: number): Uint32Array[] =>
      states.map(({ cpu }) => new Uint32Array(memory.buffer, cpu + offset, 4));
    const results = words(RESULT);
    const values = words(ARG1);
    const host: NativeHost = {
      busRead: (cpu, length, nonSecure) => {
        const index = indexOf(cpu);
        const state = states[index] as PeState;
        this.currentCpu = index;
        this.currentSecure = nonSecure === 0;
        state.set64(RESULT, 0, 0);
        state.set64(RESULT_HI, 0, 0);
        return bus.read(state.number(ARG0), length, results[index] as Uint32Array, this.currentSecure) ? 0 : 1;
      },
      busWrite: (cpu, length, nonSecure) => {
        const index = indexOf(cpu);
        const state = states[index] as PeState;
        this.currentCpu = index;
        this.currentSecure = nonSecure === 0;
        return bus.write(state.number(ARG0), length, values[index] as Uint32Array, this.currentSecure) ? 0 : 1;
      },
      now,
    };
    this.exports = instantiate(moduleFor(memory, bytes), {
      env: { memory },
      host: { ...host },
    }) as unknown as NativeModule["exports"];
  }
}

const indexOf = (cpu: number): number => ((cpu - CPU_BASE) / CPU_STRIDE) | 0;
