import { utf8 } from "../../base/text.ts";
import { savePe } from "../../cpu/saved-state.ts";
import { type Checksum, crc32 } from "../../snapshot/crc32.ts";
import type { SavedValue } from "../../snapshot/fields.ts";
import { type Encoding, PAGE, type SnapshotCodec, type SnapshotSink } from "../../snapshot/format.ts";
import { SnapshotWriter } from "../../snapshot/writer.ts";
import { BadInput } from "../runnable.ts";
import type { MachineAnatomy } from "./anatomy.ts";
import { type Run, runsOf } from "./pages.ts";
import * as N from "./sections.ts";
import { LAYOUT, shapeOf } from "./shape.ts";

export interface SaveOptions {
  readonly sink: SnapshotSink;
  readonly codec: SnapshotCodec;
  /** "deflate" where it is not given, which every host can read; "zstd" is restored faster. */
  readonly encoding?: Encoding;
  readonly checksum?: Checksum;
  /** What the host needs to make the machine's parts again: kept as it is, in the same section as the machine's shape. */
  readonly host?: SavedValue;
  /**
   * `sink` and `codec` do their work at once, so that nothing else of this program runs until all is saved. Otherwise memory is copied
   * first, as devices may change it while the host waits.
   */
  readonly synchronous?: boolean;
  readonly progress?: (done: number, total: number) => void;
}

export interface SaveResult {
  /** Of the snapshot. */
  readonly bytes: number;
}

interface MemoryChunk extends Run {
  readonly section: string;
  readonly content: Uint8Array;
}

/**
 * Saves a machine between two slices, and lets it go on as it was. Nothing of it is under way then: what a disk has begun is written
 * down with how far it has come, and all that is done is flushed to the host's disk first.
 * @throws BadInput when the machine cannot be saved, or whatever `sink` and `codec` throw.
 */
export async function saveMachine(
  { anatomy }: { readonly anatomy: MachineAnatomy },
  options: SaveOptions,
): Promise<SaveResult> {
  if (anatomy.parts.semihosting !== undefined) throw new BadInput("a machine with --semihosting cannot be saved");
  if (anatomy.held) throw new BadInput("the machine is being saved already");
  anatomy.held = true;
  anatomy.clock.hold(true);
  try {
    return await save(anatomy, options);
  } finally {
    anatomy.clock.hold(false);
    anatomy.held = false;
  }
}

async function save(anatomy: MachineAnatomy, options: SaveOptions): Promise<SaveResult> {
  const { codec, sink, encoding = "deflate", checksum = crc32, progress = () => {} } = options;
  flushDisks(anatomy);
  const writer = new SnapshotWriter({ codec, sink, encoding, checksum });
  const small = smallSections(anatomy, options.host ?? null);
  let memory: Iterable<MemoryChunk> = memoryOf(anatomy);
  if (!options.synchronous) memory = [...memory].map((chunk) => ({ ...chunk, content: chunk.content.slice() }));
  const total = anatomy.board.memory.regions().reduce((sum, { bytes }) => sum + bytes, 0);
  await writer.begin();
  for (const { name, content } of small) await writer.section(name, N.SECTION_VERSION, content);
  let section = "";
  let before = 0;
  for (const { section: name, page, content } of memory) {
    if (name !== section) before = startOf(anatomy, name);
    section = name;
    await writer.chunk(name, N.SECTION_VERSION, page, content);
    progress(before + page * PAGE, total);
  }
  await writer.end();
  progress(total, total);
  return { bytes: writer.bytes };
}

/** What the guest was told is written stays written, whatever becomes of the host. */
function flushDisks({ parts }: MachineAnatomy): void {
  try {
    for (const { store } of parts.disks) if (!store.readOnly) store.flush();
  } catch (error) {
    throw new BadInput(`a disk cannot be written: ${error instanceof Error ? error.message : error}`);
  }
}

function smallSections(anatomy: MachineAnatomy, host: SavedValue): { name: string; content: Uint8Array }[] {
  const { parts, board, clock, states } = anatomy;
  const json = (name: string, value: SavedValue): { name: string; content: Uint8Array } => {
    const content = utf8(JSON.stringify(value));
    if (content.length > N.SECTION_MAX) throw new BadInput(`${name} has too much state to be saved`);
    return { name, content };
  };
  const machine = { now: clock.now(), console: board.consoles.active, powerKey: anatomy.powerKey ?? null };
  return [
    json(N.CONFIGURATION, { layout: LAYOUT, machine: shapeOf(parts, board), host }),
    json(N.MACHINE, machine),
    ...board.bus
      .windows()
      .filter(N.isStateful)
      .map(({ name, device }) => json(N.deviceSection(name), device.save())),
    { name: N.INTERRUPTS, content: bytesOf(board.controller.words) },
    ...states.map((state, index) => ({ name: N.peSection(index), content: savePe(state) })),
  ];
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.slice().buffer);
}

function* memoryOf({ board, buffer, native }: MachineAnatomy): Generator<MemoryChunk> {
  for (const { name, base, bytes } of board.memory.regions()) {
    for (const run of runsOf(native, base, bytes)) {
      const content = new Uint8Array(buffer, base + run.page * PAGE, run.pages * PAGE);
      yield { ...run, section: N.memorySection(name), content };
    }
  }
}

/** Bytes of the regions before one. */
function startOf({ board }: MachineAnatomy, section: string): number {
  let sum = 0;
  for (const { name, bytes } of board.memory.regions()) {
    if (N.memorySection(name) === section) break;
    sum += bytes;
  }
  return sum;
}
