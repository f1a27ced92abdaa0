import type { Pace } from "../library/run-loop.ts";

const channel = new MessageChannel();
const waiting: (() => void)[] = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** A cell to sleep on. Without cross-origin isolation there is none. */
const cell = typeof SharedArrayBuffer === "undefined" ? undefined : new Int32Array(new SharedArrayBuffer(4));

/** A worker's event loop. Its timers are too slow for turns: they wait four milliseconds (HTML, timers, nesting level). */
export const pace: Pace = {
  turn: () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      channel.port2.postMessage(0);
    }),
  block: (milliseconds) => {
    if (cell) Atomics.wait(cell, 0, 0, milliseconds);
  },
};
