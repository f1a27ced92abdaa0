// VMware disk images, read-only: one sparse file, stream-optimized, or a descriptor with flat and sparse extents in files beside it
// (VMware's "Virtual Disk Format 5.0").

import { type Block, MappedImage } from "./block-map.ts";
import { latin1, le64, viewOf } from "./bytes.ts";
import { corrupt, refused, unsupported } from "./error.ts";
import { type Codecs, type ImageHost, readInside, type Storage } from "./storage.ts";

const SECTOR = 512;
const MAGIC = 0x564d444b;
const FLAG_ZERO_GRAINS = 1 << 2;
const FLAG_COMPRESSED = 1 << 16;
const FLAG_MARKERS = 1 << 17;
const MAX_DESCRIPTOR_BYTES = 2 ** 20;
const MAX_EXTENTS = 4096;
const MAX_GRAIN_BYTES = 64 * 2 ** 20;
const MAX_TABLE_ENTRIES = 512;
/** 128 TiB, with grains of 64 KiB. */
const MAX_DIRECTORY_ENTRIES = 2 ** 22;
const CACHED_TABLES = 1024;

/** A part of the disk, in one file or none. */
interface Part {
  readonly bytes: number;
  find(offset: number): { readonly block: Block; readonly within: number; readonly length: number };
}

export function openVmdk(host: ImageHost, path: string, storage: Storage): MappedImage {
  const magic = new Uint8Array(4);
  storage.read(0, magic);
  if (viewOf(magic).getUint32(0, true) === MAGIC) {
    const sparse = openSparse(storage, host.codecs);
    return assemble([storage], [sparse.part], {
      subformat: sparse.compressed ? "streamOptimized" : "monolithicSparse",
    });
  }
  const text = latin1(readInside(storage, 0, Math.min(storage.size(), MAX_DESCRIPTOR_BYTES), "descriptor"));
  if (!text.startsWith("# Disk DescriptorFile")) throw corrupt(`${storage.name} is no VMDK image`);
  return fromDescriptor(host, path, storage, text);
}

function assemble(storages: Storage[], parts: Part[], details: Readonly<Record<string, unknown>>): MappedImage {
  const starts: number[] = [];
  let bytes = 0;
  for (const part of parts) {
    starts.push(bytes);
    bytes += part.bytes;
  }
  if (!Number.isSafeInteger(bytes)) throw corrupt(`${storages[0]?.name}: the size of its disk is no good number`);
  return new MappedImage({
    ...{ format: "vmdk", bytes, storages, details },
    find(offset) {
      let low = 0;
      let high = parts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((starts[middle] as number) <= offset) low = middle;
        else high = middle - 1;
      }
      const part = parts[low] as Part;
      const at = offset - (starts[low] as number);
      const found = part.find(at);
      return { ...found, length: Math.min(found.length, part.bytes - at) };
    },
  });
}

/** "Text descriptor": key = value lines, and a line for each extent. */
function fromDescriptor(host: ImageHost, path: string, storage: Storage, text: string): MappedImage {
  checkParent(storage.name, text);
  const storages = [storage];
  const parts: Part[] = [];
  try {
    for (const line of text.split(/\r?\n/)) {
      const match = /^(?:RW|RDONLY|NOACCESS)\s+(\d{1,15})\s+([A-Z0-9]+)(?:\s+"([^"]*)"(?:\s+(\d{1,15}))?)?/.exec(
        line.trim(),
      );
      if (match === null) continue;
      const [, sectors, type, file, start] = match;
      if (parts.length >= MAX_EXTENTS) throw corrupt(`${storage.name}: it has more than ${MAX_EXTENTS} extents`);
      const bytes = Number(sectors) * SECTOR;
      if (bytes === 0) continue;
      if (type === "ZERO") {
        parts.push({ bytes, find: (at) => ({ block: { kind: "hole" }, within: at, length: bytes - at }) });
        continue;
      }
      if (file === undefined || (type !== "FLAT" && type !== "VMFS" && type !== "SPARSE")) {
        throw unsupported(`${storage.name}: extents of type ${type} are not known`);
      }
      const extent = host.open(host.beside(path, file), false);
      storages.push(extent);
      if (type === "SPARSE") {
        const { part } = openSparse(extent, host.codecs);
        if (part.bytes < bytes) throw corrupt(`${extent.name} is smaller than its descriptor says`);
        parts.push({ ...part, bytes });
      } else parts.push(flat(extent, bytes, Number(start ?? 0) * SECTOR));
    }
    if (parts.length === 0) throw corrupt(`${storage.name}: it names no extents`);
    return assemble(storages, parts, { subformat: /^createType="([^"]{0,64})"/m.exec(text)?.[1] ?? "unknown" });
  } catch (error) {
    for (const extent of storages.slice(1)) extent.close();
    throw error;
  }
}

function flat(storage: Storage, bytes: number, start: number): Part {
  if (!(start + bytes <= storage.size())) throw corrupt(`${storage.name} is smaller than its descriptor says`);
  return {
    bytes,
    find: (at) => ({ block: { kind: "data", storage, offset: start }, within: at, length: bytes - at }),
  };
}

function checkParent(name: string, descriptor: string): void {
  const parent = /^parentCID=([0-9a-f]+)/im.exec(descriptor)?.[1];
  if (parent === undefined || /^f{8}$/i.test(parent)) return;
  throw unsupported(`${name} is a difference to another image, which Atoll does not know`);
}

/** What the header of a sparse extent says; sizes and offsets in bytes. */
interface SparseHeader {
  readonly bytes: number;
  readonly grainBytes: number;
  /** Entries of a grain table. */
  readonly perTable: number;
  readonly directoryAt: number;
  readonly directoryEntries: number;
  readonly compressed: boolean;
  /** Entries of 1 in grain tables are grains of zeros. */
  readonly zeroGrains: boolean;
}

/** "Hosted sparse extents". */
function openSparse(storage: Storage, codecs: Codecs): { part: Part; compressed: boolean } {
  const header = readSparseHeader(storage);
  return { part: grains(storage, codecs, header), compressed: header.compressed };
}

function readSparseHeader(storage: Storage): SparseHeader {
  const { name } = storage;
  let header = viewOf(readInside(storage, 0, SECTOR, "VMDK header"));
  if (header.getUint32(0, true) !== MAGIC) throw corrupt(`${name} is no sparse VMDK extent`);
  if (header.getUint32(56, true) === 0xffff_ffff && header.getUint32(60, true) === 0xffff_ffff) {
    // Written in one go, the grain directory last: a second header at the end says where.
    header = viewOf(readInside(storage, storage.size() - 2 * SECTOR, SECTOR, "VMDK footer"));
    if (header.getUint32(0, true) !== MAGIC) throw corrupt(`${name}: its footer is damaged, or the file is cut off`);
  }
  const version = header.getUint32(4, true);
  const flags = header.getUint32(8, true);
  const bytes = le64(header, 12) * SECTOR;
  const grainBytes = le64(header, 20) * SECTOR;
  const perTable = header.getUint32(44, true);
  const compressed = (flags & FLAG_COMPRESSED) !== 0;
  if (version < 1 || version > 3) throw unsupported(`${name}: version ${version} of VMDK is not known`);
  if (compressed && (header.getUint16(77, true) !== 1 || (flags & FLAG_MARKERS) === 0)) {
    throw unsupported(`${name}: its kind of compression is not known`);
  }
  if (!Number.isSafeInteger(bytes)) throw corrupt(`${name}: the size of its disk is no good number`);
  if (!(grainBytes <= MAX_GRAIN_BYTES) || grainBytes < SECTOR || Math.log2(grainBytes) % 1 !== 0) {
    throw corrupt(`${name}: grains of ${grainBytes} bytes`);
  }
  if (perTable < 1 || perTable > MAX_TABLE_ENTRIES) throw corrupt(`${name}: grain tables of ${perTable} entries`);
  const directoryEntries = Math.ceil(bytes / (grainBytes * perTable));
  if (directoryEntries > MAX_DIRECTORY_ENTRIES) throw refused(`${name} is too large`);
  const descriptorAt = le64(header, 28) * SECTOR;
  const descriptorBytes = Math.min(le64(header, 36) * SECTOR, MAX_DESCRIPTOR_BYTES);
  if (descriptorAt > 0 && descriptorBytes > 0) {
    checkParent(name, latin1(readInside(storage, descriptorAt, descriptorBytes, "descriptor")));
  }
  const directoryAt = le64(header, 56) * SECTOR;
  const zeroGrains = (flags & FLAG_ZERO_GRAINS) !== 0;
  return { bytes, grainBytes, perTable, directoryAt, directoryEntries, compressed, zeroGrains };
}

/** Finds an extent's grains by its grain directory and grain tables. */
function grains(storage: Storage, codecs: Codecs, header: SparseHeader): Part {
  const { bytes, grainBytes, perTable, compressed, zeroGrains } = header;
  const directory = viewOf(readInside(storage, header.directoryAt, header.directoryEntries * 4, "grain directory"));
  const cache = new Map<number, DataView>();
  const table = (at: number): DataView => {
    const known = cache.get(at);
    if (known !== undefined) return known;
    const read = viewOf(readInside(storage, at, perTable * 4, "grain table"));
    if (cache.size >= CACHED_TABLES) cache.delete(cache.keys().next().value as number);
    cache.set(at, read);
    return read;
  };
  let last: { readonly at: number; readonly bytes: Uint8Array } | undefined;
  return {
    bytes,
    find(offset) {
      const within = offset % grainBytes;
      const length = grainBytes - within;
      const grain = Math.floor(offset / grainBytes);
      const tableAt = directory.getUint32(Math.floor(grain / perTable) * 4, true) * SECTOR;
      if (tableAt === 0) return { block: { kind: "hole" }, within, length };
      const sector = table(tableAt).getUint32((grain % perTable) * 4, true);
      if (sector === 0) return { block: { kind: "hole" }, within, length };
      if (sector === 1 && zeroGrains) return { block: { kind: "zero" }, within, length };
      const at = sector * SECTOR;
      if (!compressed) {
        if (at >= storage.size()) throw corrupt(`${storage.name}: a grain is beyond the end of the file`);
        return { block: { kind: "data", storage, offset: at }, within, length };
      }
      if (last?.at !== at) last = { at, bytes: inflateGrain(storage, codecs, at, grainBytes) };
      return { block: { kind: "bytes", bytes: last.bytes }, within, length };
    },
  };
}

/** "Compressed grains": the grain's sector, the size of the data, the data. */
function inflateGrain(storage: Storage, codecs: Codecs, at: number, grainBytes: number): Uint8Array {
  const length = viewOf(readInside(storage, at, 12, "grain")).getUint32(8, true);
  if (length === 0 || length > 2 * grainBytes + SECTOR) throw corrupt(`${storage.name}: a grain's size is damaged`);
  const data = readInside(storage, at + 12, length, "grain");
  try {
    return codecs.inflate(data, grainBytes);
  } catch {
    throw corrupt(`${storage.name}: a compressed grain is damaged`);
  }
}
