import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestClock } from "../../../../test/support/device-doubles.ts";
import { TestDriver } from "../../../../test/support/virtio-driver.ts";
import type { SerialChannel } from "../../../bus/channel.ts";
import { CONFIG, STATUS } from "../mmio.ts";
import { CONTROL, VirtioSerialPorts } from "./ports.ts";

const MULTIPORT = 1 << 1;
const CONTROL_RX = 2;
const CONTROL_TX = 3;

class Channel implements SerialChannel {
  connected = false;
  full = false;
  readonly output: number[] = [];
  input: number[] = [];
  change = (): void => {};
  write(bytes: Uint8Array): void {
    if (this.connected) this.output.push(...bytes);
  }
  read(max: number): Uint8Array {
    return Uint8Array.from(this.input.splice(0, max));
  }
  onChange(listener: () => void): void {
    this.change = listener;
  }
  set(changes: Partial<Pick<Channel, "connected" | "full" | "input">>): void {
    Object.assign(this, changes);
    this.change();
  }
}

const message = (id: number, event: number, value: number) =>
  new Uint8Array(Uint32Array.of(id, event | (value << 16)).buffer);

function setUp() {
  const channels = [new Channel(), new Channel()] as const;
  const name = (text: string) => new TextEncoder().encode(text);
  const driver = new TestDriver(
    (memory) =>
      new VirtioSerialPorts(memory, new TestClock(), [
        { name: name("first"), channel: channels[0] },
        { name: name("second"), channel: channels[1] },
      ]),
  );
  driver.start(MULTIPORT, 8);
  const at = driver.allocate(0x100);
  const seen: string[] = [];
  let taken = 0;
  const offer = (): void => {
    driver.setDescriptor(CONTROL_RX, 0, { address: driver.memory.base + at, length: 64, flags: 2 });
    driver.publish(CONTROL_RX, 0);
    driver.notify(CONTROL_RX);
  };
  offer();
  /** Control messages that have come since the last call, as text. */
  const told = (): string[] => {
    for (; driver.used(CONTROL_RX).length > taken; taken++, offer()) {
      const { data, bytes } = driver.memory;
      const length = driver.used(CONTROL_RX)[taken]?.length ?? 0;
      const text = String.fromCharCode(...bytes.subarray(at + 8, at + length));
      seen.push(
        `${data.getUint32(at, true)} ${data.getUint16(at + 4, true)} ${data.getUint16(at + 6, true)} ${text}`.trim(),
      );
    }
    return seen.splice(0);
  };
  const send = (queue: number, bytes: Uint8Array): void => {
    const from = at + 0x80;
    driver.memory.bytes.set(bytes, from);
    driver.setDescriptor(queue, 0, { address: driver.memory.base + from, length: bytes.length, flags: 0 });
    driver.publish(queue, 0);
    driver.notify(queue);
  };
  return { channels, driver, told, send };
}

test("ports are made known, with their names, and whether somebody is there", () => {
  const { channels, driver, told, send } = setUp();
  assert.equal(driver.read(CONFIG + 4), 3);
  channels[1].connected = true;
  send(CONTROL_TX, message(0, CONTROL.deviceReady, 1));
  assert.deepEqual(told(), ["1 1 1", "2 1 1"]);
  send(CONTROL_TX, message(1, CONTROL.portReady, 1));
  assert.deepEqual(told(), ["1 7 1 first"]);
  send(CONTROL_TX, message(2, CONTROL.portReady, 1));
  assert.deepEqual(told(), ["2 7 1 second", "2 6 1"]);
  channels[0].set({ connected: true });
  channels[1].set({ connected: false });
  assert.deepEqual(told(), ["1 6 1", "2 6 0"]);
});

test("bytes go out of each port, and wait while there is no room", () => {
  const { channels, driver, send } = setUp();
  channels[1].connected = true;
  send(7, Uint8Array.of(1, 2));
  assert.deepEqual(channels[1].output, [1, 2]);
  channels[1].set({ full: true });
  send(7, Uint8Array.of(3));
  assert.equal(driver.used(7).length, 1);
  channels[1].set({ full: false });
  assert.deepEqual(channels[1].output, [1, 2, 3]);
  send(5, Uint8Array.of(9));
  assert.deepEqual([channels[0].output, driver.used(5).length], [[], 1]);
});

test("bytes come in once somebody in the guest has opened the port", () => {
  const { channels, driver, send } = setUp();
  const [at = 0] = driver.offer(4, [16]);
  driver.notify(4);
  channels[0].set({ connected: true, input: [5, 6] });
  assert.equal(driver.used(4).length, 0);
  send(CONTROL_TX, message(1, CONTROL.portOpen, 1));
  assert.deepEqual(driver.used(4), [{ head: 0, length: 2 }]);
  assert.deepEqual([...driver.memory.bytes.subarray(at, at + 2)], [5, 6]);
});

test("a driver that takes no messages is not listened to for ever", () => {
  const { driver, send, told } = setUp();
  for (let i = 0; i < 134; i++) send(CONTROL_TX, message(0, CONTROL.deviceReady, 1));
  assert.ok(driver.used(CONTROL_TX).length < 134);
  for (let i = 0; i < 300; i++) told();
  assert.equal(driver.used(CONTROL_TX).length, 134);
});

test("any messages are harmless", () => {
  const word = fc.oneof(fc.nat(8), fc.integer({ min: 0, max: 0xffff_ffff }));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(7), fc.uint8Array({ maxLength: 12 }), word, word), { maxLength: 30 }),
      (steps) => {
        const { channels, driver, send, told } = setUp();
        for (const [queue, noise, id, event] of steps) {
          if (!(driver.read(STATUS) & 64))
            send(queue, queue === CONTROL_TX ? message(id, event & 0xffff, noise.length & 1) : noise);
          channels[id & 1]?.set({ connected: (event & 1) !== 0, full: (event & 2) !== 0, input: [...noise] });
          told();
        }
        assert.ok(driver.memory.guardsIntact());
      },
    ),
  );
});
