import { ActionError, type ErrorCode } from "../contract/action.ts";
import { ImageError } from "../images/error.ts";
import { BadInput } from "../machine/runnable.ts";
import { SnapshotError } from "../snapshot/error.ts";
import { EXIT_STATUS } from "./exit-status.ts";

/** Says something to the user on stderr: one line, whatever names it quotes. */
export function say(message: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names of files may have them
  process.stderr.write(`atoll: ${message.replace(/[\x00-\x1f\x7f]+/g, " ")}\n`);
}

const TIMES = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1000, "second"],
] as const;

/** So many milliseconds before now, for people. */
export function ago(milliseconds: number): string {
  const [unit, name] = TIMES.find(([least]) => milliseconds >= least) ?? [1000, "second"];
  const count = Math.max(0, Math.floor(milliseconds / unit));
  return `${count} ${name}${count === 1 ? "" : "s"} ago`;
}

/** Reports what ended the command; returns its exit status. */
export function reportError(error: unknown): number {
  if (error instanceof BadInput) {
    say(error.message);
    return EXIT_STATUS.badInput;
  }
  if (error instanceof SnapshotError) {
    say(error.message);
    return EXIT_STATUS.badSnapshot;
  }
  if (error instanceof ImageError) {
    say(error.message);
    return error.failure === "corrupt" ? EXIT_STATUS.corruptImage : EXIT_STATUS.badInput;
  }
  if (error instanceof ActionError && error.code !== "internal") {
    say(error.message);
    return ACTION_STATUS[error.code];
  }
  say("internal error, a defect of Atoll's; please report it with these lines:");
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_STATUS.internal;
}

const ACTION_STATUS: Readonly<Record<Exclude<ErrorCode, "internal">, number>> = {
  "bad-input": EXIT_STATUS.badInput,
  "no-access": EXIT_STATUS.badInput,
  "no-such-machine": EXIT_STATUS.noSuchMachine,
  "wrong-state": EXIT_STATUS.wrongState,
  damaged: EXIT_STATUS.corruptImage,
};
