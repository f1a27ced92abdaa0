// Runs in a worker (region-thread.ts): makes the regions that the machine's thread asks for.

import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MakerSetup, RegionRequest } from "../../engine/region-maker.ts";
import { RegionServer } from "../../engine/region-thread.ts";
import { KeptRegionsFile, type KeptRegionsFiles } from "./kept-regions-file.ts";

export interface RegionWorkerData {
  readonly setup: MakerSetup;
  readonly port: MessagePort;
  /** Answers that were posted, so that the machine's thread need not ask the port. */
  readonly made: Int32Array;
  /** Where regions of earlier runs are; absent where none are kept. */
  readonly kept: KeptRegionsFiles | undefined;
}

const { setup, port, made, kept } = workerData as RegionWorkerData;
const server = new RegionServer(setup, () => performance.now(), kept && new KeptRegionsFile(kept));

port.on("message", (first: readonly RegionRequest[]) => {
  const requests = [...first];
  for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) {
    requests.push(...(more.message as readonly RegionRequest[]));
  }
  for (const answer of server.serve(requests)) {
    port.postMessage(answer);
    Atomics.add(made, 0, 1);
  }
});
