// Snapshots as somebody hostile could make them: bytes that are changed, and sections that are changed and have right checksums.

import { checksum, snapshotCodec } from "../../src/hosts/node/snapshot-file.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { isStateful } from "../../src/machine/snapshot/sections.ts";
import { SnapshotError } from "../../src/snapshot/error.ts";
import { Fields } from "../../src/snapshot/fields.ts";
import {
  CHUNK_HEADER_BYTES,
  CHUNK_MAX,
  ENCODINGS,
  HEADER_BYTES,
  type SnapshotCodec,
} from "../../src/snapshot/format.ts";
import { SnapshotReader } from "../../src/snapshot/reader.ts";
import { BytesSink, sourceOfBytes } from "../../src/snapshot/streams.ts";
import { SnapshotWriter } from "../../src/snapshot/writer.ts";
import { contents, restored, saved } from "../support/snapshots.ts";
import { wholeMachine } from "../support/whole-machine.ts";
import { Random } from "../vectors/inputs.ts";

const BYTES = [0, 1, 0x7f, 0x80, 0xff] as const;

/** Some bytes changed, cut, repeated or put in. */
export function changed(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes.slice();
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(result.length + 1);
    switch (random.below(5)) {
      case 0:
        result = result.slice(0, at);
        break;
      case 1: {
        const from = random.below(result.length + 1);
        result = Uint8Array.from([
          ...result.subarray(0, at),
          ...result.subarray(from, from + 200),
          ...result.subarray(at),
        ]);
        break;
      }
      case 2:
        result.set(
          result.subarray(random.below(result.length), result.length).subarray(0, 4),
          Math.max(0, Math.min(at, result.length - 4)),
        );
        break;
      case 3:
        if (at < result.length) result[at] = BYTES[random.below(BYTES.length)] as number;
        break;
      default:
        if (at < result.length) result[at] = (result[at] as number) ^ (1 << random.below(8));
    }
  }
  return result;
}

const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    0.5,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53,
    1e300,
    "",
    "0",
    "ff",
    "zz",
    [],
    {},
    [0],
    [1e9],
  ],
  ...["a/../b", "..", "/etc/passwd", "x".repeat(5000), Array(300).fill(0), { __proto__: null }],
];

/** JSON with a value or two in it replaced, or gone. */
export function changedJson(value: unknown, random: Random): unknown {
  if (random.chance(0.02)) return VALUES[random.below(VALUES.length)];
  if (Array.isArray(value)) {
    const copy = [...value];
    if (random.chance(0.03)) copy.push(copy[0] ?? 0);
    if (random.chance(0.03)) copy.pop();
    return copy.map((each) => changedJson(each, random));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(() => !random.chance(0.005))
        .map(([name, each]) => [name, changedJson(each, random)]),
    );
  }
  if (typeof value === "string" && random.chance(0.02)) return value.slice(random.below(value.length));
  return random.chance(0.02) && typeof value === "number" ? random.below(2 ** 32) : value;
}

/** Nothing else may be thrown. @returns whether it was refused. */
async function refused(action: () => unknown): Promise<boolean> {
  try {
    await action();
    return false;
  } catch (error) {
    if (error instanceof SnapshotError) return true;
    throw error;
  }
}

export interface Tally {
  inputs: number;
  refused: number;
}

export class SnapshotFuzzer {
  readonly #random: Random;
  readonly #file: Uint8Array;
  readonly #sections: readonly (readonly [string, Uint8Array])[];
  readonly #machine: Machine;

  private constructor(random: Random, file: Uint8Array, sections: Map<string, Uint8Array>, machine: Machine) {
    this.#random = random;
    this.#file = file;
    this.#sections = [...sections];
    this.#machine = machine;
  }

  static async create(seed: number): Promise<SnapshotFuzzer> {
    // A loop that counts and stores: ADD X1, X1, #1; STR X1, [X2]; B .-8.
    const { machine } = await wholeMachine([0xd2a82002, 0x91000421, 0xf9000041, 0x17fffffe], {
      ...{ memory: 4 << 20, balloon: true, append: "console=hvc0" },
      vsock: { cid: 3, host: { connect: () => closedStream, onConnection: () => {} } },
      serialPorts: [{ name: "port", channel }],
    });
    machine.run(1);
    const file = await saved(machine);
    return new SnapshotFuzzer(new Random(seed), file, await contents(file), machine);
  }

  /** The container alone: bytes are changed, and, of one in two, checksums put right. */
  async container(tally: Tally): Promise<void> {
    const random = this.#random;
    // Short ones show most of what there is.
    const start = this.#file.subarray(0, 300 + random.below(3000));
    const broken = changed(start, random);
    const mended = random.chance(0.5);
    const file = mended ? withEnd(broken) : broken;
    if (mended) mendChecksums(file);
    const reader = new SnapshotReader({ source: sourceOfBytes(file), codec: snapshotCodec, checksum });
    const bad = await refused(async () => {
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
        const content = await reader.content(chunk);
        if (content.length > CHUNK_MAX) throw new Error("a chunk is larger than the largest");
      }
    });
    tally.inputs++;
    if (bad) tally.refused++;
  }

  /** The state of each device, changed. */
  async devices(tally: Tally): Promise<void> {
    for (const { name, device } of this.#machine.anatomy.board.bus.windows().filter(isStateful)) {
      device.reset();
      const state = changedJson(JSON.parse(JSON.stringify(device.save())), this.#random);
      tally.inputs++;
      if (await refused(() => device.restore(new Fields(state, name)))) tally.refused++;
    }
  }

  /** A whole machine, whose sections are changed and whose checksums are right; what is restored runs. */
  async machine(tally: Tally): Promise<void> {
    const random = this.#random;
    const sink = new BytesSink();
    const writer = new SnapshotWriter({
      sink,
      codec: odd(random),
      encoding: ENCODINGS[random.below(3)] as "zstd",
      checksum,
    });
    await writer.begin();
    for (const [key, bytes] of this.#sections) {
      const [name = "", page = "0"] = key.split(" ");
      if (random.chance(0.001)) continue;
      const isJson = bytes[0] === 0x7b;
      const content = !random.chance(0.03)
        ? bytes
        : isJson
          ? Buffer.from(JSON.stringify(changedJson(JSON.parse(Buffer.from(bytes).toString()), random)))
          : changed(bytes, random);
      const at = random.chance(0.002) ? random.below(2 ** 32) : Number(page);
      await writer.chunk(name, random.chance(0.001) ? 2 : 1, at, content.subarray(0, CHUNK_MAX));
    }
    await writer.end();
    const bad = await refused(async () => {
      const machine = await restored(sink.bytes(), this.#machine.anatomy.parts);
      for (let turn = 0; turn < 3; turn++) machine.run(1);
    });
    tally.inputs++;
    if (bad) tally.refused++;
  }
}

/** Sometimes gives much more, or something else, than it was given. */
function odd(random: Random): SnapshotCodec {
  return {
    ...snapshotCodec,
    encode: (encoding, bytes) => {
      if (!random.chance(0.01)) return snapshotCodec.encode(encoding, bytes);
      return snapshotCodec.encode(encoding, new Uint8Array(random.below(32 * CHUNK_MAX)));
    },
  };
}

/** With whole chunks only, and one at the end that says so. */
function withEnd(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let at = Math.min(HEADER_BYTES, file.length);
  for (;;) {
    if (at + CHUNK_HEADER_BYTES > file.length) break;
    const next = at + CHUNK_HEADER_BYTES + view.getUint32(at + 48, true);
    if (next > file.length) break;
    at = next;
  }
  const end = new Uint8Array(CHUNK_HEADER_BYTES);
  end.set([0x65, 0x6e, 0x64]);
  return Uint8Array.from([...file.subarray(0, at), ...end]);
}

function mendChecksums(file: Uint8Array): void {
  if (file.length < HEADER_BYTES) return;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let crc = checksum(file.subarray(0, 12), 0);
  view.setUint32(12, crc, true);
  for (let at = HEADER_BYTES; at + CHUNK_HEADER_BYTES <= file.length; ) {
    const stored = view.getUint32(at + 48, true);
    const content = file.subarray(at + CHUNK_HEADER_BYTES, at + CHUNK_HEADER_BYTES + stored);
    view.setUint32(at + 52, checksum(content, 0), true);
    crc = checksum(file.subarray(at, at + 56), crc);
    view.setUint32(at + 56, crc, true);
    at += CHUNK_HEADER_BYTES + content.length;
  }
}

const channel = { connected: false, full: false, write: () => {}, read: () => new Uint8Array(0), onChange: () => {} };
const closedStream = {
  ...{
    readable: false,
    write: () => {},
    read: () => new Uint8Array(0),
    accept: () => {},
    end: () => {},
    close: () => {},
  },
};
