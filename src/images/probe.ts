import { latin1, viewOf } from "./bytes.ts";
import type { Format } from "./image.ts";
import type { Storage } from "./storage.ts";

/** Of a raw image, in one stream. */
export type Compression = "gzip" | "xz" | "zstd";

/** What the first 512 bytes of a file say that it is; undefined for a raw disk. */
export function magicOf(sector: Uint8Array): Exclude<Format, "raw"> | Compression | undefined {
  const view = viewOf(sector);
  const first = view.getUint32(0);
  if (first === 0x514649fb) return "qcow2";
  // "KDMV", and a text file.
  if (first === 0x4b444d56 || /^# Disk DescriptorFile/.test(latin1(sector.subarray(0, 64)))) return "vmdk";
  if (view.getUint32(0x40, true) === 0xbeda107f) return "vdi";
  if (latin1(sector.subarray(0, 8)) === "vhdxfile") return "vhdx";
  if (first >>> 8 === 0x1f8b08) return "gzip";
  if (first === 0xfd377a58 && view.getUint16(4) === 0x5a00) return "xz";
  if (first === 0x28b52ffd) return "zstd";
  return undefined;
}

/** What a file says that it is; undefined for a raw disk. */
export function probe(storage: Storage): ReturnType<typeof magicOf> {
  const sector = new Uint8Array(512);
  storage.read(0, sector);
  return magicOf(sector);
}
