// What nodes say to each other while a domain moves. docs/migration.md has the order.

import * as z from "zod";
import { machineName } from "../../contract/definition.ts";
import { domainDefinition, newDomain } from "../../contract/domain.ts";
import { CPU_MODELS, MAX_DISK, SWITCH_NAME } from "../../contract/limits.ts";
import { nodeChannel } from "../../contract/node.ts";
import { inWords } from "../errors.ts";
import type { Message } from "./channel.ts";

export const KIND = {
  offer: 1,
  accept: 2,
  refuse: 3,
  file: 4,
  pages: 5,
  zeroes: 6,
  disk: 7,
  mark: 8,
  marked: 9,
  state: 10,
  prepare: 11,
  prepared: 12,
  commit: 13,
  taken: 14,
  dropped: 15,
  abort: 16,
  aborted: 17,
  later: 18,
  settled: 19,
  /** As `disk`, of what is under a disk that keeps nothing. */
  base: 20,
  /** Of the memory of a channel, by its number in the domain: as it is when the domain stands still. */
  channel: 21,
} as const;

/** Of a migration: names it, and is never used again. */
const migrationId = z.string().regex(/^[0-9a-f]{32}$/);
const nodeId = migrationId;

export const FILE_FIELDS = ["kernel", "initrd", "dtb"] as const;
const FILE_MAX = 2 ** 30;
const FILES_MAX = 64;
const DISKS_MAX = 64;
const CHANNELS_MAX = 32;

/** What a domain is made of, and what comes with it. */
export const luggage = z.strictObject({
  name: machineName,
  /** As its owner gave it. */
  given: newDomain,
  /** Its files are those of `files`, its disks those of `disks`. */
  definition: domainDefinition,
  /** Bytes of RAM that it has touched. */
  resident: z.int().min(0),
  files: z.array(z.strictObject({ bytes: z.int().min(0).max(FILE_MAX) })).max(FILES_MAX),
  disks: z
    .array(
      z.strictObject({
        bytes: z.int().positive().multipleOf(512).max(MAX_DISK),
        readOnly: z.boolean(),
        serial: z.string().max(20).optional(),
      }),
    )
    .max(DISKS_MAX),
});

export const offer = luggage.extend({
  id: migrationId,
  /** Of hypervisor/migration/shape.ts. */
  layout: z.int(),
  /** Those that it is a member of, by their numbers in it. */
  channels: z
    .array(nodeChannel.extend({ name: z.string().regex(SWITCH_NAME) }))
    .max(CHANNELS_MAX)
    .default([]),
  shape: z.unknown(),
  cpu: z.enum(CPU_MODELS),
});

export const accept = z.strictObject({ node: nodeId });
export const refuse = z.strictObject({ why: z.string().max(1000) });
/** Of commit and abort. */
export const which = z.strictObject({ id: migrationId, node: nodeId });
export const mark = z.strictObject({ number: z.int().min(0) });

export type Luggage = z.output<typeof luggage>;
export type Offer = z.output<typeof offer>;
export type Which = z.output<typeof which>;

/** What came is not what the protocol has here. */
export class Unexpected extends Error {
  override readonly name = "Unexpected";
}

export const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** @throws Unexpected */
export function decode<T extends z.ZodType>(schema: T, { body }: Message): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    throw new Unexpected("a message is no JSON");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Unexpected(`a message makes no sense: ${inWords(parsed.error)}`);
  return parsed.data;
}

/** A kind of message in words. */
export function nameOf(kind: number): string {
  return Object.entries(KIND).find(([, number]) => number === kind)?.[0] ?? `message ${kind}`;
}

// Bodies that are bytes: a header of little-endian numbers, and content.

const NUMBER_BYTES = 8;

/** A piece of a file, a disk or RAM: of the `index`th one, at an offset. RAM has no index. */
export interface Piece {
  readonly index: number;
  readonly offset: number;
  readonly content: Uint8Array;
}

export function encodePiece({ index, offset, content }: Piece): Buffer {
  const body = Buffer.allocUnsafe(NUMBER_BYTES * 2 + content.length);
  body.writeUInt32LE(index, 0);
  body.writeUInt32LE(0, 4);
  body.writeUInt32LE(offset % 2 ** 32, 8);
  body.writeUInt32LE(Math.floor(offset / 2 ** 32), 12);
  body.set(content, NUMBER_BYTES * 2);
  return body;
}

/** @throws Unexpected */
export function decodePiece({ body }: Message): Piece {
  if (body.length < NUMBER_BYTES * 2) throw new Unexpected("a message is too short");
  const view = new DataView(body.buffer, body.byteOffset);
  const offset = view.getUint32(12, true) * 2 ** 32 + view.getUint32(8, true);
  if (!Number.isSafeInteger(offset)) throw new Unexpected("an offset is too large");
  return { index: view.getUint32(0, true), offset, content: body.subarray(NUMBER_BYTES * 2) };
}

/** Runs of pages: first, count. */
export function encodeRuns(runs: readonly (readonly [number, number])[]): Buffer {
  const body = Buffer.alloc(8 * runs.length);
  for (const [i, [first, count]] of runs.entries()) {
    body.writeUInt32LE(first, 8 * i);
    body.writeUInt32LE(count, 8 * i + 4);
  }
  return body;
}

/** @throws Unexpected when a run is not one of `pages` pages. */
export function decodeRuns({ body }: Message, pages: number): [number, number][] {
  if (body.length % 8 !== 0) throw new Unexpected("a message is too short");
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const runs: [number, number][] = [];
  let most = pages;
  for (let at = 0; at < body.length; at += 8) {
    const first = view.getUint32(at, true);
    const count = view.getUint32(at + 4, true);
    most -= count;
    if (count === 0 || first + count > pages || most < 0) throw new Unexpected("pages are not the domain's");
    runs.push([first, count]);
  }
  return runs;
}
