// Starts a process of the `atoll` command, of a machine or of the node, apart from the one that asks: it goes on when that ends. Its side of the conversation is `starter`.

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { ActionError, type Progress, type Reply } from "../contract/action.ts";
import { asBadInput, reasonOf } from "../hosts/node/files.ts";
import type { StateDirectory } from "./state-directory.ts";

/**
 * Done when it says that it runs.
 * @param processLog file for what it has to say.
 * @throws ActionError when it could not be started.
 */
export async function startProcess(
  [program, ...args]: readonly string[],
  state: StateDirectory,
  processLog: string,
  progress: (progress: Progress) => void,
): Promise<void> {
  let log: number;
  try {
    log = openSync(processLog, "w", 0o600);
  } catch (error) {
    throw asBadInput(error, "write", processLog);
  }
  const child = spawn(program as string, args, {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
    env: { ...process.env, ATOLL_HOME: state.path },
    cwd: state.path,
  });
  closeSync(log);
  try {
    await new Promise<void>((resolve, reject) => {
      child.on("error", (error) => reject(new ActionError("internal", `cannot start a process: ${reasonOf(error)}`)));
      child.on("exit", (status, signal) => {
        const how = signal ?? `status ${status}`;
        reject(new ActionError("internal", `its process ended (${how}): ${lastLine(processLog)}`));
      });
      child.on("message", (reply: Reply) => {
        if ("progress" in reply) progress(reply.progress);
        else if ("error" in reply) reject(new ActionError(reply.error.code, reply.error.message));
        else resolve();
      });
    });
  } finally {
    child.removeAllListeners();
    // Whatever it says later is nobody's business here.
    child.on("error", () => {});
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function lastLine(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().split("\n").at(-1) ?? "";
  } catch {
    return "it left no word";
  }
}

/** Who started this process, where that was `startProcess`. */
export const starter = {
  get waits(): boolean {
    return process.send !== undefined && process.connected;
  },

  /** Says something; the last one is a result or an error. Nobody may be there to hear it. */
  async tell(reply: Reply): Promise<void> {
    if (!starter.waits) return;
    await new Promise<void>((resolve) => process.send?.(reply, undefined, {}, () => resolve()));
  },
};
