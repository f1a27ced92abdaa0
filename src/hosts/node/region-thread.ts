// A worker that translates code while the guest runs.

import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { MakerSetup } from "../../engine/region-maker.ts";
import type { RegionAnswer, RegionThread, StartRegionThread } from "../../engine/region-thread.ts";
import { keptForRunning } from "./kept-regions.ts";
import { keptRegionsFiles } from "./kept-regions-file.ts";
import type { RegionWorkerData } from "./region-worker.ts";

/** Absent on a host with one core, where a second thread would only get in the way. */
export const startRegionThread: StartRegionThread | undefined = availableParallelism() > 1 ? start : undefined;

const LIMITS = { maxYoungGenerationSizeMb: 32, maxOldGenerationSizeMb: 64, stackSizeMb: 2 };

function start(setup: MakerSetup): RegionThread {
  const made = new Int32Array(new SharedArrayBuffer(4));
  const kept = keptRegionsFiles(setup);
  let outOfMemory = false;
  // Node's module for workers is loaded when there is one.
  const startWorker = () => {
    const { port1, port2 } = new MessageChannel();
    const workerData: RegionWorkerData = { setup, port: port2, made, kept };
    // The worker is a file beside this one: TypeScript in the repository, JavaScript in the package, a bundle in the command.
    const worker = new Worker(new URL(`./region-worker${extname(import.meta.url)}`, import.meta.url), {
      ...{ workerData, transferList: [port2], resourceLimits: LIMITS, stdin: false },
    });
    worker.unref();
    worker.on("error", (error: NodeJS.ErrnoException) => {
      // Everything else is a defect, and to be seen.
      if (error.code !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
      outOfMemory = true;
    });
    return { worker, port: port1 };
  };
  let started: ReturnType<typeof startWorker> | undefined;
  let taken = 0;
  return {
    ...(kept && keptForRunning(kept)),
    get ended() {
      return outOfMemory;
    },
    send: (requests) => {
      started ??= startWorker();
      started.port.postMessage(requests);
    },
    receive: () => {
      if (started === undefined || Atomics.load(made, 0) === taken) return undefined;
      const message = receiveMessageOnPort(started.port)?.message as RegionAnswer | undefined;
      if (message !== undefined) taken++;
      return message;
    },
    close: () => {
      started?.port.close();
      void started?.worker.terminate();
    },
  };
}
