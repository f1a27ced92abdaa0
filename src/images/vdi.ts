// VirtualBox disk images, dynamic and fixed, read-only.

import { MappedImage } from "./block-map.ts";
import { le64, viewOf } from "./bytes.ts";
import { corrupt, unsupported } from "./error.ts";
import { readInside, type Storage } from "./storage.ts";

const HEADER_BYTES = 0x200;
const DYNAMIC = 1;
const FIXED = 2;
/** A block that was never written; one that was given back. Both read as zeros. */
const FREE = 0xffff_ffff;
const DISCARDED = 0xffff_fffe;
/** Blocks of a disk of 16 TiB, at the usual size of a block. */
const MAX_BLOCKS = 2 ** 24;

export function openVdi(storage: Storage): MappedImage {
  const { name } = storage;
  const header = viewOf(readInside(storage, 0, HEADER_BYTES, "VDI header"));
  const type = header.getUint32(0x4c, true);
  const mapOffset = header.getUint32(0x154, true);
  const dataOffset = header.getUint32(0x158, true);
  const bytes = le64(header, 0x170);
  const blockBytes = header.getUint32(0x178, true);
  const blocks = header.getUint32(0x180, true);
  if (header.getUint32(0x40, true) !== 0xbeda107f) throw corrupt(`${name} is no VDI image`);
  if (header.getUint32(0x44, true) >>> 16 !== 1) throw unsupported(`${name}: this version of VDI is not known`);
  if (type !== DYNAMIC && type !== FIXED) throw unsupported(`${name}: VDI images of type ${type} are not known`);
  if (le64(header, 0x1a8) !== 0 || le64(header, 0x1b0) !== 0) {
    throw unsupported(`${name} is a difference to another image, which Atoll does not know`);
  }
  if (blockBytes < 512 || (blockBytes & (blockBytes - 1)) !== 0)
    throw corrupt(`${name}: blocks of ${blockBytes} bytes`);
  if (header.getUint32(0x17c, true) !== 0) throw unsupported(`${name}: its blocks have extra data, which is not known`);
  if (!Number.isSafeInteger(bytes) || blocks > MAX_BLOCKS || bytes > blocks * blockBytes) {
    throw corrupt(`${name}: its disk does not fit its map of blocks`);
  }
  if (dataOffset % 512 !== 0) throw corrupt(`${name}: its data is not at a sector`);
  const map = viewOf(readInside(storage, mapOffset, blocks * 4, "map of blocks"));
  return new MappedImage({
    format: "vdi",
    bytes: Math.ceil(bytes / 512) * 512,
    storages: [storage],
    details: { "cluster-size": blockBytes, subformat: type === DYNAMIC ? "dynamic" : "static" },
    find(offset) {
      const within = offset % blockBytes;
      const length = blockBytes - within;
      const index = Math.floor(offset / blockBytes);
      const place = index < blocks ? map.getUint32(index * 4, true) : FREE;
      if (place === FREE) return { block: { kind: "hole" }, within, length };
      if (place === DISCARDED) return { block: { kind: "zero" }, within, length };
      const at = dataOffset + place * blockBytes;
      if (at >= storage.size()) throw corrupt(`${name}: a block is beyond the end of the file`);
      return { block: { kind: "data", storage, offset: at }, within, length };
    },
  });
}
