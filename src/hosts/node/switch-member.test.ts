import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestClock } from "../../../test/support/device-doubles.ts";
import { Frame, TCP4 } from "../../network/frame.ts";
import { decodeFrame, encodeFrame } from "../../network/frame-message.ts";
import type { NetworkLink } from "../../network/link.ts";
import { MessageReader } from "./message-reader.ts";
import { SwitchMember } from "./switch-member.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "atoll-"));
  process.env.XDG_RUNTIME_DIR = folder;
});
after(() => rmSync(folder, { recursive: true }));

class Machine {
  readonly #member: SwitchMember;
  announced = 0;
  #arrived = (): void => {};
  private constructor(member: SwitchMember) {
    this.#member = member;
  }
  get link(): NetworkLink {
    return this.#member.link;
  }
  get serving(): boolean {
    return this.#member.serving;
  }
  close(): void {
    this.#member.close();
  }
  static async open(name: string, last: number): Promise<Machine> {
    const wakes: (() => void)[] = [];
    const member = await SwitchMember.open(name, macOf(last), () => {
      for (const wake of wakes) wake();
    });
    const machine = new Machine(member);
    wakes.push(() => machine.#arrived());
    member.link.attach({ clock: new TestClock(), ready: () => {}, announce: () => void machine.announced++ });
    return machine;
  }
  send(to: Uint8Array, text: string): void {
    this.link.transmit(frameOf(to, this.link.mac, text));
  }
  /** The next frame's text, waited for. */
  async next(): Promise<string> {
    for (;;) {
      const frame = this.link.receive();
      if (frame) return Buffer.from(frame.bytes.subarray(14, frame.length)).toString();
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }
}

const macOf = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);
const EVERYBODY = Uint8Array.of(255, 255, 255, 255, 255, 255);

function frameOf(to: Uint8Array, from: Uint8Array, text: string): Frame {
  const frame = new Frame();
  const bytes = Buffer.concat([to, from, Uint8Array.of(8, 0), Buffer.from(text)]);
  frame.bytes.set(bytes);
  frame.complete(bytes.length);
  return frame;
}

test("machines meet on a switch; a known address's frames go only there", { timeout: 20_000 }, async () => {
  const [a, b, c] = [await Machine.open("x", 1), await Machine.open("x", 2), await Machine.open("x", 3)];
  const other = await Machine.open("y", 4);
  // All who are there have been accepted when they are heard.
  for (const [i, machine] of [b, c].entries()) {
    machine.send(EVERYBODY, `hello ${i}`);
    assert.equal(await a.next(), `hello ${i}`);
  }
  assert.equal(await c.next(), "hello 0");
  assert.equal(await b.next(), "hello 1");
  a.send(macOf(2), "to b");
  b.send(macOf(3), "to c");
  assert.equal(await b.next(), "to b");
  assert.equal(await c.next(), "to c");
  assert.equal(other.link.receive(), undefined);
  for (const machine of [a, b, c, other]) machine.close();
});

test("the switch outlives whoever serves it", { timeout: 20_000 }, async () => {
  const machines = [await Machine.open("z", 1), await Machine.open("z", 2), await Machine.open("z", 3)];
  assert.deepEqual(
    machines.map(({ serving }) => serving),
    [true, false, false],
  );
  machines[0]?.close();
  const [, b, c] = machines as [Machine, Machine, Machine];
  while (b.announced + c.announced < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([b.serving, c.serving].filter(Boolean).length, 1);
  const timer = setInterval(() => c.send(macOf(2), "still here"), 50);
  assert.equal(await b.next(), "still here");
  clearInterval(timer);
  for (const machine of machines) machine.close();
});

test("the name of a machine that was killed is taken over", { timeout: 20_000 }, async () => {
  const path = join(folder, "atoll", "switch-dead.sock");
  const program = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  assert.throws(() => execFileSync(process.execPath, ["-e", program], { stdio: "ignore" }));
  assert.ok(existsSync(path));
  const machine = await Machine.open("dead", 1);
  assert.ok(machine.serving);
  machine.close();
  assert.ok(!existsSync(path));
});

test("what is left to be done goes with a frame", () => {
  const frame = frameOf(macOf(1), macOf(2), "x".repeat(100));
  Object.assign(frame, { checksumStart: 34, checksumOffset: 16, segmentation: TCP4, segmentBytes: 1460, ecn: true });
  const got = new Frame();
  assert.ok(decodeFrame(encodeFrame(frame), got));
  for (const key of ["length", "checksumStart", "checksumOffset", "segmentation", "segmentBytes", "ecn"] as const) {
    assert.equal(got[key], frame[key], key);
  }
});

test("messages are found wherever the stream is cut, and what is none ends it", () => {
  const messages = ["one", "two", "three"].map((text) => encodeFrame(frameOf(macOf(1), macOf(2), text)));
  const all = Buffer.concat(messages);
  for (let cut = 1; cut < 40; cut++) {
    const reader = new MessageReader();
    const got: Buffer[] = [];
    for (let at = 0; at < all.length; at += cut) assert.ok(reader.feed(all.subarray(at, at + cut), (m) => got.push(m)));
    assert.deepEqual(
      got.map((m) => m.toString("hex")),
      messages.map((m) => Buffer.from(m).toString("hex")),
    );
  }
  assert.ok(!new MessageReader().feed(Buffer.from("GET / HTTP/1.1"), () => {}));
});
