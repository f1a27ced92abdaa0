import type { Pace } from "../library/run-loop.ts";

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Node's event loop. */
export const pace: Pace = {
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  block: (milliseconds) => void Atomics.wait(cell, 0, 0, milliseconds),
};
