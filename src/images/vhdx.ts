// Hyper-V disk images, dynamic and fixed, read-only ([MS-VHDX]).

import { MappedImage } from "./block-map.ts";
import { latin1, le64, viewOf } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import { corrupt, unsupported } from "./error.ts";
import { readInside, type Storage } from "./storage.ts";

const KIB = 1024;
const MIB = 2 ** 20;
/** 2.2: the header section's parts, each twice. */
const HEADERS = [64 * KIB, 128 * KIB];
const REGION_TABLES = [192 * KIB, 256 * KIB];
const HEADER_BYTES = 4 * KIB;
const REGION_TABLE_BYTES = 64 * KIB;
const MAX_REGIONS = 2047;
const MAX_METADATA_ENTRIES = 2047;
/** Of a disk of 64 TiB, the most there is, in the smallest blocks. */
const MAX_TABLE_BYTES = (64 * 2 ** 20 + 16) * 8;

const BAT = "2dc27766-f623-4200-9d64-115e9bfd4a08";
const METADATA = "8b7ca206-4790-4b9a-b8fe-575f050f886e";
const FILE_PARAMETERS = "caa16737-fa36-4d43-b3b6-33f0aa44e76b";
const DISK_SIZE = "2fa54224-cd1b-4876-b211-5dbed83bf4b8";
const LOGICAL_SECTOR = "8141bf1d-a96f-4709-ba47-f233a8faab5f";
/** What Atoll may leave alone although an image requires it to be known: an identifier, a physical sector's size. */
const HARMLESS = ["beca12ab-b2e6-4523-93ef-c309e000c746", "cda348c7-445d-4471-9cc9-e9885251c556"];

/** 2.5.1.1: states of a payload block. */
const ZERO = 2;
const FULLY_PRESENT = 6;
const PARTIALLY_PRESENT = 7;

export function openVhdx(storage: Storage): MappedImage {
  const { name } = storage;
  if (latin1(readInside(storage, 0, 8, "VHDX header")) !== "vhdxfile") throw corrupt(`${name} is no VHDX image`);
  checkHeader(storage);
  const regions = regionsOf(storage);
  const metadata = regions.get(METADATA);
  const bat = regions.get(BAT);
  if (metadata === undefined || bat === undefined) throw corrupt(`${name}: it lacks a region`);
  const { bytes, blockBytes, sectorBytes, fixed } = parametersOf(storage, metadata.offset);
  // 2.5: after each chunk of payload blocks is one entry for the chunk's bitmap.
  const chunk = (2 ** 23 * sectorBytes) / blockBytes;
  const blocks = Math.ceil(bytes / blockBytes);
  const entries = blocks === 0 ? 0 : blocks + Math.floor((blocks - 1) / chunk);
  if (entries * 8 > bat.length || entries * 8 > MAX_TABLE_BYTES) throw corrupt(`${name}: its block table is too small`);
  return new MappedImage({
    format: "vhdx",
    bytes,
    storages: [storage],
    details: { "cluster-size": blockBytes, subformat: fixed ? "fixed" : "dynamic", "logical-sector-size": sectorBytes },
    find(offset) {
      const index = Math.floor(offset / blockBytes);
      const within = offset % blockBytes;
      const length = Math.min(blockBytes - within, bytes - offset);
      const at = bat.offset + (index + Math.floor(index / chunk)) * 8;
      const entry = viewOf(readInside(storage, at, 8, "block table"));
      const state = entry.getUint32(0, true) & 7;
      if (state === PARTIALLY_PRESENT) throw corrupt(`${name}: a block is partly in another file`);
      if (state !== FULLY_PRESENT) return { block: { kind: state === ZERO ? "zero" : "hole" }, within, length };
      const place = Math.floor(le64(entry, 0) / MIB) * MIB;
      if (!(place + blockBytes <= storage.size()) || place < MIB) {
        throw corrupt(`${name}: a block is beyond the end of the file`);
      }
      return { block: { kind: "data", storage, offset: place }, within, length };
    },
  });
}

/** 2.2.2: the valid header with the higher sequence number counts. */
function checkHeader(storage: Storage): void {
  let current: DataView | undefined;
  for (const at of HEADERS) {
    const view = checked(storage, at, HEADER_BYTES, "head");
    if (view !== undefined && (current === undefined || le64(view, 8) > le64(current, 8))) current = view;
  }
  if (current === undefined) throw corrupt(`${storage.name}: both its headers are damaged`);
  if (current.getUint16(66, true) !== 1) throw unsupported(`${storage.name}: this version of VHDX is not known`);
  for (let i = 0; i < 16; i++) {
    if (current.getUint8(48 + i) === 0) continue;
    throw unsupported(
      `${storage.name} was not closed in order, and its log must be replayed: open it once where it is from, or with qemu-img check -r all`,
    );
  }
}

/** A structure with its signature and a checksum over all of it; undefined where it is damaged. */
function checked(storage: Storage, at: number, length: number, signature: string): DataView | undefined {
  if (at + length > storage.size()) return undefined;
  const bytes = readInside(storage, at, length, "VHDX header");
  const view = viewOf(bytes);
  if (latin1(bytes.subarray(0, 4)) !== signature) return undefined;
  const sum = view.getUint32(4, true);
  view.setUint32(4, 0, true);
  return crc32c(bytes) === sum ? view : undefined;
}

interface Region {
  readonly offset: number;
  readonly length: number;
}

function regionsOf(storage: Storage): Map<string, Region> {
  const table = REGION_TABLES.map((at) => checked(storage, at, REGION_TABLE_BYTES, "regi")).find(
    (t) => t !== undefined,
  );
  if (table === undefined) throw corrupt(`${storage.name}: both its region tables are damaged`);
  const count = table.getUint32(8, true);
  if (count > MAX_REGIONS) throw corrupt(`${storage.name}: it says that it has ${count} regions`);
  const regions = new Map<string, Region>();
  for (let i = 0; i < count; i++) {
    const at = 16 + i * 32;
    const id = guid(table, at);
    const region = { offset: le64(table, at + 16), length: table.getUint32(at + 24, true) };
    const known = id === BAT || id === METADATA;
    if (!known && (table.getUint32(at + 28, true) & 1) !== 0) {
      throw unsupported(`${storage.name} has a region that is required but not known`);
    }
    if (known && (region.offset < MIB || !(region.offset + region.length <= storage.size()))) {
      throw corrupt(`${storage.name}: a region is beyond the end of the file`);
    }
    if (regions.has(id)) throw corrupt(`${storage.name}: it has a region twice`);
    regions.set(id, region);
  }
  return regions;
}

function parametersOf(storage: Storage, base: number) {
  const { name } = storage;
  const head = readInside(storage, base, 64 * KIB, "metadata");
  const table = viewOf(head);
  if (latin1(head.subarray(0, 8)) !== "metadata") throw corrupt(`${name}: its metadata is damaged`);
  const count = table.getUint16(10, true);
  if (count > MAX_METADATA_ENTRIES) throw corrupt(`${name}: its metadata has ${count} entries`);
  const items = new Map<string, DataView>();
  for (let i = 0; i < count; i++) {
    const at = 32 + i * 32;
    const id = guid(table, at);
    const flags = table.getUint32(at + 24, true);
    if (id === FILE_PARAMETERS || id === DISK_SIZE || id === LOGICAL_SECTOR) {
      items.set(id, viewOf(readInside(storage, base + table.getUint32(at + 16, true), 8, "metadata")));
    } else if (flags & 4 && !HARMLESS.includes(id)) {
      throw unsupported(`${name} has metadata that is required but not known, such as that of a difference`);
    }
  }
  const parameters = items.get(FILE_PARAMETERS);
  const size = items.get(DISK_SIZE);
  const sector = items.get(LOGICAL_SECTOR)?.getUint32(0, true);
  if (parameters === undefined || size === undefined || sector === undefined)
    throw corrupt(`${name}: metadata is missing`);
  const blockBytes = parameters.getUint32(0, true);
  const flags = parameters.getUint32(4, true);
  if (flags & 2) throw unsupported(`${name} is a difference to another image, which Atoll does not know`);
  if (blockBytes < MIB || blockBytes > 256 * MIB || (blockBytes & (blockBytes - 1)) !== 0) {
    throw corrupt(`${name}: blocks of ${blockBytes} bytes`);
  }
  if (sector !== 512 && sector !== 4096) throw corrupt(`${name}: sectors of ${sector} bytes`);
  const bytes = le64(size, 0);
  if (!(bytes <= 64 * 2 ** 40) || bytes % sector !== 0)
    throw corrupt(`${name}: the size of its disk is no good number`);
  return { bytes, blockBytes, sectorBytes: sector, fixed: (flags & 1) !== 0 };
}

/** As it is printed: the first three fields are little-endian. */
function guid(view: DataView, at: number): string {
  const order = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15];
  return order
    .map((i) =>
      i < 0
        ? "-"
        : view
            .getUint8(at + i)
            .toString(16)
            .padStart(2, "0"),
    )
    .join("");
}
