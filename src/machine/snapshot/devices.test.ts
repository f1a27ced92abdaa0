import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeMachine } from "../../../test/support/whole-machine.ts";
import type { SerialChannel } from "../../bus/channel.ts";
import { isStateful } from "./sections.ts";

/** All that these have is in linear memory. */
const IN_MEMORY = /^gic\./;

const channel: SerialChannel = {
  ...{ connected: false, full: false, write: () => {}, read: () => new Uint8Array(0), onChange: () => {} },
};

for (const gicVersion of [2, 3] as const) {
  test(`each device of a board with a GICv${gicVersion} says what a snapshot has of it`, async () => {
    const { machine } = await wholeMachine([0x14000000], {
      ...{ gicVersion, secure: true, virtualization: true, balloon: true, display: true, append: "console=hvc0" },
      serialPorts: [{ name: "port", channel }],
    });
    const without = machine.anatomy.board.bus.windows().filter((window) => !isStateful(window));
    assert.deepEqual(
      without.map(({ name }) => name).filter((name) => !IN_MEMORY.test(name)),
      [],
    );
  });
}
