// The embedded guest, with a shell that does what a test asks for.

import assert from "node:assert/strict";
import { Atoll } from "./atoll.ts";

/** Of its shell. */
export const PROMPT = "atoll:~# ";

export class EmbeddedGuest {
  readonly process: Atoll;
  #count = 100;

  private constructor(process: Atoll) {
    this.process = process;
  }

  static async boot(...args: string[]): Promise<EmbeddedGuest> {
    const process = new Atoll(["run", "--boot", "--timeout", "300", ...args]);
    await process.waitFor(PROMPT, 100);
    return new EmbeddedGuest(process);
  }

  /** Does a command of the shell's, and gives what it printed. */
  async run(command: string, seconds = 60): Promise<string> {
    const number = this.#count++;
    // The echo of what is typed does not hold what these print.
    this.process.type(`echo "{$((${number}+1000))}"; ${command}; echo "<$((${number}+1000))>"\n`);
    await this.process.waitFor(`<${number + 1000}>`, seconds);
    const shown = this.process.stdout.replaceAll("\r", "");
    const begin = `{${number + 1000}}\n`;
    return shown.slice(shown.indexOf(begin) + begin.length, shown.indexOf(`<${number + 1000}>`));
  }

  async powerOff(): Promise<void> {
    this.process.type("poweroff\n");
    const { status, stderr } = await this.process.finished;
    assert.equal(status, 0, stderr);
  }
}
