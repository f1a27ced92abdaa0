import { restorePe } from "../../cpu/saved-state.ts";
import type { MemoryRegion } from "../../memory/guest-memory.ts";
import { type Checksum, crc32 } from "../../snapshot/crc32.ts";
import { damaged, newer, SnapshotError } from "../../snapshot/error.ts";
import type { Fields } from "../../snapshot/fields.ts";
import { PAGE, type SnapshotCodec, type SnapshotSource } from "../../snapshot/format.ts";
import { SnapshotReader } from "../../snapshot/reader.ts";
import { Machine, type MemoryAllocated } from "../machine.ts";
import type { MachineParts } from "../runnable.ts";
import type { MachineAnatomy } from "./anatomy.ts";
import { printable, Sections } from "./section-reader.ts";
import * as N from "./sections.ts";
import { checkShape, LAYOUT, shapeOf } from "./shape.ts";

/** The first section of a snapshot. */
export interface SnapshotConfiguration {
  /** The machine's shape: memory, cpus, cpu, gicVersion, virtualization, secure, windows. */
  readonly machine: Fields;
  /** What the host gave when it was saved. It may be anything: somebody else may have written the file. */
  readonly host: unknown;
}

export interface RestoreOptions {
  readonly source: SnapshotSource;
  readonly codec: SnapshotCodec;
  readonly checksum?: Checksum;
  /** Makes the parts of a machine of that shape. What it opens is its own to close when restoring fails. */
  readonly open: (configuration: SnapshotConfiguration) => Promise<MachineParts> | MachineParts;
  /** Makes the memory ready that will be written to, beside what else is made; it stays as it is. */
  readonly ready?: ((...memory: Parameters<MemoryAllocated>) => Promise<void>) | undefined;
}

/**
 * A machine as it was saved; it goes on with the next `run`. The file is checked as it is read, so that disks are open before its end is
 * known to be whole: where that matters, use `verifySnapshot` first.
 * @throws SnapshotError when the snapshot cannot be used, BadInput for the parts.
 */
export async function restoreMachine(options: RestoreOptions): Promise<Machine> {
  const { source, codec, checksum = crc32 } = options;
  const sections = new Sections(new SnapshotReader({ source, codec, checksum }));
  const configuration = readConfiguration(await sections.json(N.CONFIGURATION));
  const parts = await options.open(configuration);
  let ready: Promise<void> | undefined;
  const machine = await Machine.blank(parts, (...memory) => {
    ready = options.ready?.(...memory);
  });
  await ready;
  const { anatomy } = machine;
  checkShape(configuration.shape, shapeOf(parts, anatomy.board));
  await restore(anatomy, sections);
  machine.restored();
  return machine;
}

/** The configuration of a snapshot, and nothing more. @throws SnapshotError */
export async function readSnapshotConfiguration(options: Omit<RestoreOptions, "open">): Promise<SnapshotConfiguration> {
  const { source, codec, checksum = crc32 } = options;
  const sections = new Sections(new SnapshotReader({ source, codec, checksum }));
  return readConfiguration(await sections.json(N.CONFIGURATION));
}

function readConfiguration(fields: Fields): SnapshotConfiguration & { readonly shape: unknown } {
  if (fields.any("kind") === "domain")
    throw new SnapshotError("other", "it is of a domain: atoll load adds it to a node");
  if (fields.whole("layout") !== LAYOUT)
    throw new SnapshotError(
      "other",
      "the snapshot was made by another build of Atoll, which keeps state in another way",
    );
  return { machine: fields.object("machine"), shape: fields.any("machine"), host: fields.any("host") };
}

async function restore(anatomy: MachineAnatomy, sections: Sections): Promise<void> {
  const { board, clock, states, processors } = anatomy;
  const machine = await sections.json(N.MACHINE);
  clock.resumeAt(machine.number("now"));
  clock.hold(true);
  board.consoles.active = machine.whole("console", 0xffff);
  const stateful = board.bus.windows().filter(N.isStateful);
  for (const { name, device } of stateful) device.restore(await sections.json(N.deviceSection(name)));
  const { words } = board.controller;
  const interrupts = await sections.bytes(N.INTERRUPTS);
  if (interrupts.length !== words.byteLength) throw damaged("the interrupt controller's state has another size");
  const pes: Uint8Array[] = [];
  for (const index of states.keys()) pes.push(await sections.bytes(N.peSection(index)));
  await restoreMemory(anatomy, sections);
  words.set(new Int32Array(interrupts.slice().buffer));
  for (const [index, state] of states.entries()) restorePe(state, pes[index] as Uint8Array);
  board.controller.restored();
  processors.restored();
  clock.hold(false);
  anatomy.powerKey = machine.has("powerKey") ? machine.number("powerKey") : undefined;
  for (const { device } of stateful) device.resumed?.();
}

async function restoreMemory({ board, buffer }: MachineAnatomy, sections: Sections): Promise<void> {
  const regions = new Map(board.memory.regions().map((region) => [N.memorySection(region.name), region]));
  const ends = new Map<MemoryRegion, number>();
  for (let chunk = await sections.next(); chunk !== undefined; chunk = await sections.next()) {
    const region = regions.get(chunk.name);
    if (region === undefined) throw newer(`it has a section ${printable(chunk.name)}`);
    sections.checkVersion(chunk);
    const pages = Math.ceil(chunk.bytes / PAGE);
    // Each page once: what there is to unpack is then bounded by the machine's memory.
    if (chunk.page < (ends.get(region) ?? 0) || chunk.page + pages > region.bytes / PAGE)
      throw damaged(`${chunk.name} has pages at the wrong place`);
    ends.set(region, chunk.page + pages);
    new Uint8Array(buffer, region.base + chunk.page * PAGE, chunk.bytes).set(await sections.content(chunk));
  }
}
