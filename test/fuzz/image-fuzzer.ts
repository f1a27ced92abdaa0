// Damaged disk images: whatever a file holds, opening and using it gives an ImageError or works, in bounded time and memory.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyImage } from "../../src/images/convert.ts";
import { crc32c } from "../../src/images/crc32c.ts";
import { ImageError } from "../../src/images/error.ts";
import type { Image } from "../../src/images/image.ts";
import { openImage } from "../../src/images/open.ts";
import { checkQcow2 } from "../../src/images/qcow2/check.ts";
import { createQcow2, type Qcow2CreateOptions } from "../../src/images/qcow2/create.ts";
import { Qcow2Image } from "../../src/images/qcow2/qcow2.ts";
import { applySnapshot, createSnapshot, deleteSnapshot } from "../../src/images/qcow2/snapshots.ts";
import { RawImage } from "../../src/images/raw.ts";
import { MemoryStorage, memoryImages } from "../support/memory-images.ts";
import type { Random } from "../vectors/inputs.ts";

export interface Seed {
  readonly name: string;
  /** The file, and those beside it. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Offsets near which damage does the most, with the lengths of what is there. */
  readonly metadata: readonly (readonly [number, number])[];
  readonly writable: boolean;
}

export const hasQemuImg = ((): boolean => {
  try {
    execFileSync("qemu-img", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

const DISK_BYTES = 256 * 1024;

/** Sound images to be damaged: qcow2 ones of Atoll's, and where there is qemu-img, VMDK, VDI and VHDX. */
export function seeds(): Seed[] {
  return [
    ...[
      { clusterBytes: 512 },
      { clusterBytes: 4096, refcountBits: 1 },
      { clusterBytes: 4096, version: 2 as const, backing: { file: "base", format: "raw" } },
      { clusterBytes: 16384, extendedL2: true },
      { clusterBytes: 4096, compression: "zstd" as const, backing: { file: "image", format: "qcow2" } },
    ].map(qcow2Seed),
    ...(hasQemuImg ? qemuSeeds() : []),
  ];
}

function qcow2Seed(options: Qcow2CreateOptions): Seed {
  const file = new MemoryStorage("image");
  createQcow2(file, DISK_BYTES, {
    ...options,
    ...(options.backing ? { backing: { file: "base", format: "raw" } } : {}),
  });
  const base = new MemoryStorage("base", new Uint8Array(100_000).fill(3));
  const host = memoryImages(
    new Map([
      ["image", file],
      ["base", base],
    ]),
  );
  const image = openImage(host, "image", { writable: true }) as Qcow2Image;
  image.write(1000, new Uint8Array(60_000).fill(1));
  image.writeCompressed(131072, new Uint8Array(image.clusterBytes).fill(4));
  if (options.refcountBits !== 1) createSnapshot(image, "one", 0);
  image.write(30_000, new Uint8Array(5000).fill(2));
  image.writeZeroes(50_000, 20_000, true);
  image.close();
  const { header } = image;
  const cluster = image.clusterBytes;
  const tables = new Set([0, header.refcountTableOffset, header.l1Offset, header.snapshotsOffset]);
  for (const offset of image.refcounts.table) tables.add(offset);
  for (const c of image.refcounts.metadata) tables.add(c * cluster);
  return {
    name: `qcow2 ${JSON.stringify(options)}`,
    files: new Map([
      ["image", file.contents()],
      ["base", base.contents()],
    ]),
    metadata: [[0, 128], ...[...tables].map((at) => [at, Math.min(cluster, 512)] as const)],
    writable: true,
  };
}

function qemuSeeds(): Seed[] {
  const folder = mkdtempSync(join(tmpdir(), "atoll-fuzz-"));
  try {
    const raw = new Uint8Array(DISK_BYTES);
    raw.fill(5, 70_000, 150_000);
    writeFileSync(join(folder, "raw"), raw);
    const kinds: [string, string, [number, number][], string?][] = [
      [
        "vmdk",
        "subformat=monolithicSparse",
        [
          [0, 80],
          [512, 1024],
          [0x2000, 0x5000],
        ],
      ],
      [
        "vmdk",
        "subformat=streamOptimized",
        [
          [0, 80],
          [512, 1024],
          [0x2000, 0x5000],
        ],
      ],
      ["vmdk", "subformat=monolithicFlat", [[0, 400]], "image-flat.vmdk"],
      [
        "vdi",
        "static=off",
        [
          [0x40, 0x190],
          [0x200, 8],
        ],
      ],
      [
        "vdi",
        "static=on",
        [
          [0x40, 0x190],
          [0x200, 8],
        ],
      ],
      ["vhdx", "block_size=1M", VHDX],
    ];
    return kinds.map(([format, option, metadata, other]) => {
      const name = other === undefined ? "image" : "image.vmdk";
      execFileSync("qemu-img", ["convert", "-O", format, "-o", option, join(folder, "raw"), join(folder, name)]);
      const image = new Uint8Array(readFileSync(join(folder, name)));
      const files = new Map([["image", image]]);
      if (other !== undefined) files.set(other, new Uint8Array(readFileSync(join(folder, other))));
      if (option.includes("stream")) metadata.push([image.length - 1536, 1536]);
      return { name: `${format} ${option}`, files, metadata, writable: false };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const VHDX: [number, number][] = [
  [0x10000, 80],
  [0x20000, 80],
  [0x30000, 128],
  [0x40000, 128],
  [0x200000, 256],
  [0x210000, 64],
  [0x300000, 64],
];

const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, 0x40, 0xc0];

/** Damages one image, uses it, and puts it as it was. @throws what is no ImageError. */
export function fuzzOne(seed: Seed, random: Random): void {
  const original = seed.files.get("image") as Uint8Array;
  const bytes = seed.writable ? original.slice() : original;
  const undo: [number, number][] = [];
  const put = (at: number, value: number): void => {
    if (at >= bytes.length) return;
    undo.push([at, bytes[at] as number]);
    bytes[at] = value;
  };
  for (let n = 1 + random.below(4); n > 0; n--) {
    const [start, length] =
      random.below(8) === 0
        ? [0, bytes.length]
        : (seed.metadata[random.below(seed.metadata.length)] as readonly [number, number]);
    const at = start + random.below(length);
    switch (random.below(4)) {
      case 0:
        put(at, (bytes[at] as number) ^ (1 << random.below(8)));
        break;
      case 1:
        put(at, INTERESTING[random.below(INTERESTING.length)] as number);
        break;
      case 2:
        for (let i = 0; i < 8; i++) put((at & ~7) + i, random.below(256));
        break;
      case 3: {
        // Eight bytes of somewhere else: offsets that are good, where they are not.
        const [from, size] = seed.metadata[random.below(seed.metadata.length)] as readonly [number, number];
        const source = (from + random.below(size)) & ~7;
        for (let i = 0; i < 8; i++) put((at & ~7) + i, bytes[source + i] ?? 0);
      }
    }
  }
  if (seed.name.startsWith("vhdx") && random.below(8) !== 0) fixChecksums(bytes, put);
  const length = random.below(6) === 0 ? random.below(bytes.length) : bytes.length;
  try {
    use(seed, length === bytes.length ? bytes : bytes.subarray(0, length), random);
  } finally {
    for (const [at, value] of undo.reverse()) bytes[at] = value;
  }
}

function fixChecksums(bytes: Uint8Array, put: (at: number, value: number) => void): void {
  for (const [at, length] of [
    [0x10000, 0x1000],
    [0x20000, 0x1000],
    [0x30000, 0x10000],
    [0x40000, 0x10000],
  ] as const) {
    for (let i = 4; i < 8; i++) put(at + i, 0);
    const sum = crc32c(bytes.subarray(at, at + length));
    for (let i = 0; i < 4; i++) put(at + 4 + i, (sum >>> (8 * i)) & 0xff);
  }
}

function use(seed: Seed, bytes: Uint8Array, random: Random): void {
  const files = new Map<string, MemoryStorage>();
  for (const [name, contents] of seed.files) {
    files.set(name, new MemoryStorage(name, name === "image" ? bytes : contents, !seed.writable));
  }
  const host = memoryImages(files);
  const writable = seed.writable && random.below(4) !== 0;
  tolerant(() => {
    const image = openImage(host, "image", { writable });
    for (let n = 0; n < 6; n++) tolerant(() => step(image, random));
    tolerant(() => image.close());
  });
  if (!seed.writable) return;
  tolerant(() => {
    const image = openImage(host, "image", { writable, forCheck: true, withoutBacking: true });
    if (image instanceof Qcow2Image) checkQcow2(image, writable);
    image.close();
  });
}

function step(image: Image, random: Random): void {
  const length = Math.min(image.bytes, 1 + random.below(20_000));
  const at = random.below(2)
    ? random.below(Math.min(image.bytes, DISK_BYTES) - length + 1)
    : Math.max(0, image.bytes - length);
  switch (random.below(image.readOnly ? 3 : 9)) {
    case 0:
    case 1:
      image.read(at, new Uint8Array(length));
      break;
    case 2: {
      let steps = 0;
      for (const _ of copyImage(image, new RawImage(new MemoryStorage("copy", new Uint8Array(0)), false), false))
        if (steps++ > 2) break;
      break;
    }
    case 3:
      image.write(at, new Uint8Array(length).fill(9));
      break;
    case 4:
      image.writeZeroes(at, length, true);
      break;
    case 5:
      image.discard(at, length);
      break;
    case 6:
      image.flush();
      break;
    case 7:
      image.resize(random.below(4 * DISK_BYTES));
      break;
    default:
      if (!(image instanceof Qcow2Image)) break;
      if (random.below(3) === 0) createSnapshot(image, `s${random.below(9)}`, 0);
      else if (random.below(2)) applySnapshot(image, "one");
      else deleteSnapshot(image, "one");
  }
}

function tolerant(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    if (/[\n\r]/.test(error.message)) throw new Error(`more than one line: ${error.message}`);
  }
}
