// A worker that translates code while the guest runs. It is the same file as the machine's: a page loads it once.

import type { MakerSetup, RegionRequest } from "../../engine/region-maker.ts";
import { type RegionAnswer, RegionServer, type StartRegionThread } from "../../engine/region-thread.ts";

/** The first message to a worker that is to translate; requests follow. */
export interface RegionsMessage {
  readonly setup: MakerSetup;
}

const start: StartRegionThread = (setup) => {
  const answers: RegionAnswer[] = [];
  const startWorker = (): Worker => {
    const worker = new Worker(globalThis.location.href, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<RegionAnswer>) => void answers.push(data);
    worker.postMessage({ setup } satisfies RegionsMessage);
    return worker;
  };
  let worker: Worker | undefined;
  return {
    send: (requests) => {
      worker ??= startWorker();
      worker.postMessage(requests);
    },
    // They arrive between two slices.
    receive: () => answers.shift(),
    close: () => worker?.terminate(),
  };
};

/** Absent where there is one processor, or no memory that threads share. */
export const startRegionThread: StartRegionThread | undefined =
  navigator.hardwareConcurrency > 1 && globalThis.crossOriginIsolated === true ? start : undefined;

/** In the worker. */
export function serveRegions({ setup }: RegionsMessage): void {
  const server = new RegionServer(setup, () => performance.now());
  const self = globalThis as unknown as Worker;
  self.onmessage = ({ data }: MessageEvent<readonly RegionRequest[]>) => {
    for (const answer of server.serve(data)) self.postMessage(answer);
  };
}
