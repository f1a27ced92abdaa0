// Another size for the disk.

import { putBe64, roundUp } from "../bytes.ts";
import { refused } from "../error.ts";
import { FIELD, l1EntriesFor, MAX_L1_BYTES } from "./header.ts";
import type { Qcow2Image } from "./qcow2.ts";

/** What is behind the new end is gone; what comes behind the old one reads as zeros. @throws ImageError when it cannot have that size. */
export function resizeDisk(image: Qcow2Image, bytes: number): void {
  const { backing, header, map, storage } = image;
  if (image.readOnly) throw refused(`${storage.name} is read-only`);
  const entries = l1EntriesFor(bytes, header.clusterBits, header.extendedL2);
  if (entries * 8 > MAX_L1_BYTES) throw refused(`${storage.name}: clusters of its size cannot hold that much`);
  if (image.snapshots.length > 0 && (bytes < image.bytes || header.version === 2)) {
    throw refused(`${storage.name} has snapshots: delete them first`);
  }
  const before = image.bytes;
  if (bytes < before) shrink(image, bytes);
  else clearTail(image, bytes);
  image.flush();
  if (entries * 8 > map.l1.length) {
    const table = new Uint8Array(entries * 8);
    table.set(map.l1);
    image.activate(table, bytes);
  } else header.update((view) => putBe64(view, FIELD.size, bytes));
  storage.flush();
  image.flush();
  // What a longer backing file has there is not part of this disk.
  if (bytes > before && backing !== undefined && backing.bytes > before) {
    image.writeZeroes(before, Math.min(bytes, backing.bytes) - before, true);
    image.flush();
  }
}

function shrink(image: Qcow2Image, bytes: number): void {
  const { clusterBytes, map } = image;
  for (let at = roundUp(bytes, clusterBytes); at < image.bytes; ) {
    if (map.tableAt(at) === undefined) at = (Math.floor(at / map.covered) + 1) * map.covered;
    else {
      image.empty(at, false);
      at += clusterBytes;
    }
  }
}

/** A disk that ends within a cluster may have anything behind its end, which must not be seen when it grows. */
function clearTail(image: Qcow2Image, bytes: number): void {
  const before = image.bytes;
  const end = Math.min(roundUp(before, image.clusterBytes), bytes);
  if (end <= before) return;
  const { kind } = image.map.run(before, end - before);
  if (kind === "hole" || kind === "zero") return;
  image.header.update((view) => putBe64(view, FIELD.size, end));
  image.write(before, new Uint8Array(end - before));
}
