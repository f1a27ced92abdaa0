import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInput } from "../machine/runnable.ts";
import { executeMonitorLine } from "./monitor.ts";
import { MonitorPrompt } from "./monitor-prompt.ts";

function machine() {
  return {
    ended: false,
    pressed: 0,
    pressPowerKey() {
      this.pressed++;
    },
    registers: () => "x0 = 0",
    memoryMap: () => "40000000 ram\n",
    statistics: () => "",
    held: false,
    hold(held: boolean) {
      this.held = held;
    },
    resets: 0,
    reset() {
      this.resets++;
    },
    saved: [] as (string | undefined)[],
    save(file: string | undefined) {
      this.saved.push(file);
    },
    quit() {
      this.ended = true;
    },
  };
}

const ANSWERS: readonly (readonly [string, string])[] = [
  ["info registers", "x0 = 0\n"],
  ["info mtree", "40000000 ram\n"],
  ["info stats", ""],
  ["  info   registers ", "x0 = 0\n"],
  ["", ""],
  ["   ", ""],
  ["info", "unknown command: info; help lists the commands\n"],
  ["info registers 1", "unknown command: info registers 1; help lists the commands\n"],
  ["constructor", "unknown command: constructor; help lists the commands\n"],
];

for (const [line, answer] of ANSWERS) {
  test(`the monitor answers ${JSON.stringify(line)}`, () => {
    const m = machine();
    assert.equal(executeMonitorLine(m, line), answer);
    assert.equal(m.ended, false);
  });
}

test("save takes the name of a file, or none", () => {
  const m = machine();
  assert.equal(executeMonitorLine(m, "save"), "");
  assert.equal(executeMonitorLine(m, "save  a.snapshot"), "");
  assert.deepEqual(m.saved, [undefined, "a.snapshot"]);
});

test("quit ends the machine", () => {
  const m = machine();
  assert.equal(executeMonitorLine(m, "quit"), "");
  assert.equal(m.ended, true);
});

test("stop holds the machine, and cont lets it go on", () => {
  const m = machine();
  assert.equal(executeMonitorLine(m, "stop"), "");
  assert.equal(m.held, true);
  assert.equal(executeMonitorLine(m, "cont"), "");
  assert.equal(m.held, false);
});

test("screendump says what is wrong, and nothing when it is done", () => {
  const files: string[] = [];
  const screendump = (file: string): void => {
    if (file === "bad.png") throw new BadInput("cannot write bad.png");
    files.push(file);
  };
  assert.match(executeMonitorLine(machine(), "screendump a.png"), /give --display/);
  assert.equal(executeMonitorLine({ ...machine(), screendump }, "screendump a.png"), "");
  assert.match(executeMonitorLine({ ...machine(), screendump }, "screendump"), /name of a file/);
  assert.equal(executeMonitorLine({ ...machine(), screendump }, "screendump bad.png"), "cannot write bad.png\n");
  assert.deepEqual(files, ["a.png"]);
});

test("system_reset resets the machine", () => {
  const m = machine();
  assert.equal(executeMonitorLine(m, "system_reset"), "");
  assert.equal(m.resets, 1);
  assert.equal(m.ended, false);
});

test("system_powerdown presses the power key", () => {
  const m = machine();
  assert.equal(executeMonitorLine(m, "system_powerdown"), "");
  assert.equal(m.pressed, 1);
  assert.equal(m.ended, false);
});

test("help lists every command", () => {
  const text = executeMonitorLine(machine(), "help");
  for (const name of [
    "info registers",
    "info mtree",
    "info stats",
    "system_powerdown",
    "system_reset",
    "help",
    "quit",
  ]) {
    assert.match(text, new RegExp(`^${name} +\\S`, "m"));
  }
});

/** Types at a prompt; returns the lines that were executed, and what the screen shows. */
function type(...pieces: string[]): { lines: string[]; screen: string } {
  const lines: string[] = [];
  let screen = "";
  const prompt = new MonitorPrompt(
    (line) => {
      lines.push(line);
      return `<${line}>\n`;
    },
    (text) => {
      screen += text;
    },
  );
  prompt.open();
  for (const piece of pieces) prompt.feed(Buffer.from(piece, "latin1"));
  return { lines, screen };
}

test("the prompt echoes a line and shows its answer", () => {
  const { lines, screen } = type("he", "lp\r");
  assert.deepEqual(lines, ["help"]);
  assert.equal(screen, "\n(atoll) help\n<help>\n(atoll) ");
});

const EDITED: readonly (readonly [string, string])[] = [
  ["infx\x7fo\r", "info"],
  ["\x7f\x7fquit\n", "quit"],
  ["rubbish\x15quit\r", "quit"],
  ["rubbish\x03quit\r", "quit"],
  ["\x1b[A\x1b[1;5Cqu\x1bOPit\r", "quit"],
  ["qu\x00\x07\xe9it\r", "quit"],
];
for (const [typed, line] of EDITED) {
  test(`typing ${JSON.stringify(typed)} enters ${line}`, () => assert.deepEqual(type(typed).lines, [line]));
}

test("a line does not grow without bound", () => {
  assert.ok((type(`${"x".repeat(1e5)}\r`).lines[0] as string).length <= 1000);
});
