// A process that is one machine's, or the node's: in the background, or under a service manager.

import type { Progress } from "../contract/action.ts";
import { reportError } from "./report.ts";

export interface Service {
  /** It runs: whoever started it in the background is told. Signals that end a service call `onSignal`. @returns whether somebody was told. */
  ready(onSignal: () => void): boolean;
  progress(progress: Progress): void;
}

/** Makes this process a service. What it throws is told to whoever started it, too. */
export async function runService<Result>(title: string, run: (service: Service) => Promise<Result>): Promise<Result> {
  const [{ starter }, { asActionError }] = await Promise.all([
    import("../server/start-process.ts"),
    import("../server/errors.ts"),
  ]);
  process.title = `atoll: ${title}`;
  process.on("uncaughtException", (error) => process.exit(reportError(error)));
  try {
    return await run({
      ready: (onSignal) => {
        for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
        // The terminal that this came from may go away: what runs in the background stays.
        process.on("SIGHUP", starter.waits ? () => {} : onSignal);
        const { waits } = starter;
        void starter.tell({ result: {} });
        return waits;
      },
      progress: (progress) => void starter.tell({ progress }),
    });
  } catch (error) {
    const { code, message } = asActionError(error);
    await starter.tell({ error: { code, message } });
    throw error;
  }
}
