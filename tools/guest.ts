// Runs the embedded guest, for what is made of its run.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

const SECONDS = "120";
/** The exit status of what SIGTERM has ended in order. */
const INTERRUPTED = 130;

/** What is done once the guest's console has shown something, after what the step before has waited for. */
export interface GuestStep {
  readonly shown: string;
  readonly act: (guest: ChildProcessWithoutNullStreams) => void;
}

/**
 * Runs a command of Atoll's, the steps one after another. The last has SIGTERM end it.
 * @param command with what Node is given to run it. @throws Error when it ends otherwise, or takes too long.
 */
export async function runGuest(
  command: readonly string[],
  steps: readonly GuestStep[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const guest = spawn(process.execPath, [...command, "--timeout", SECONDS], { env: environment });
  let shown = "";
  let from = 0;
  let step = 0;
  guest.stderr.on("data", (bytes: Buffer) => {
    shown += bytes.toString();
  });
  guest.stdout.on("data", (bytes: Buffer) => {
    shown += bytes.toString("latin1");
    const next = steps[step];
    const at = next === undefined ? -1 : shown.indexOf(next.shown, from);
    if (next === undefined || at < 0) return;
    from = at + next.shown.length;
    step++;
    next.act(guest);
  });
  const status = await new Promise((resolve) => guest.on("close", resolve));
  if (step < steps.length || status !== INTERRUPTED)
    throw new Error(`the embedded guest did not do as it should (${command.join(" ")}): ${shown.slice(-2000)}`);
}
