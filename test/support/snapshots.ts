// Machines that are saved and restored in this process.

import { checksum, snapshotCodec } from "../../src/hosts/node/snapshot-file.ts";
import type { Machine } from "../../src/machine/machine.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { restoreMachine } from "../../src/machine/snapshot/restore.ts";
import { saveMachine } from "../../src/machine/snapshot/save.ts";
import { SnapshotReader } from "../../src/snapshot/reader.ts";
import { BytesSink, sourceOfBytes } from "../../src/snapshot/streams.ts";

export async function saved(machine: Machine): Promise<Uint8Array> {
  const sink = new BytesSink();
  await saveMachine(machine, { sink, codec: snapshotCodec, checksum, encoding: "zstd", synchronous: true });
  return sink.bytes();
}

export function restored(file: Uint8Array, parts: MachineParts): Promise<Machine> {
  return restoreMachine({ source: sourceOfBytes(file), codec: snapshotCodec, checksum, open: () => parts });
}

/** What the sections of a snapshot hold, by name and page. */
export async function contents(file: Uint8Array): Promise<Map<string, Uint8Array>> {
  const reader = new SnapshotReader({ source: sourceOfBytes(file), codec: snapshotCodec, checksum });
  const all = new Map<string, Uint8Array>();
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
    all.set(`${chunk.name} ${chunk.page}`, (await reader.content(chunk)).slice());
  return all;
}
