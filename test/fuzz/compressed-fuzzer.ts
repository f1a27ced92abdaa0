// Damaged compressed disks: whatever a file holds, decompressing it gives an ImageError or a disk, in bounded time and memory.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { expand } from "../../src/hosts/node/expand.ts";
import { ImageError } from "../../src/images/error.ts";
import type { Compression } from "../../src/images/probe.ts";
import { unxz } from "../../src/images/xz/xz.ts";
import { MemoryStorage } from "../support/memory-images.ts";
import type { Random } from "../vectors/inputs.ts";

export interface CompressedSeed {
  readonly name: string;
  readonly kind: Compression;
  readonly bytes: Uint8Array;
}

/** What is larger when it is decompressed is refused: it would only take time here. */
const LIMIT = 2 ** 20;

/** Sound files to be damaged: of zeros, text, and what cannot be compressed. `xz` ones where there is that program. */
export function compressedSeeds(): CompressedSeed[] {
  const disk = new Uint8Array(24_000);
  for (let i = 4000; i < 12_000; i++) disk[i] = 97 + ((i * i) % 23);
  for (let i = 12_000, x = 1; i < 13_000; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    disk[i] = x >>> 24;
  }
  const zstd = zstdCompressSync(disk);
  const gzip = gzipSync(disk);
  return [
    { name: "gzip", kind: "gzip", bytes: gzip },
    { name: "gzip, two members", kind: "gzip", bytes: Buffer.concat([gzip, gzipSync(disk.subarray(0, 5000))]) },
    { name: "zstd", kind: "zstd", bytes: zstd },
    { name: "zstd, two frames", kind: "zstd", bytes: Buffer.concat([zstd, zstdCompressSync(disk.subarray(9000))]) },
    ...[
      ["xz", ["-6"]],
      ["xz, several blocks", ["-9", "--block-size=7000", "--check=crc32"]],
    ].flatMap(([name, options]) => {
      try {
        const bytes = execFileSync("xz", [...(options as string[]), "-c"], { input: disk, stdio: "pipe" });
        return [{ name: name as string, kind: "xz" as const, bytes }];
      } catch {
        return [];
      }
    }),
  ];
}

export class CompressedFuzzer {
  readonly #folder = mkdtempSync(join(tmpdir(), "atoll-compressed-fuzz-"));
  /** Inputs that became a disk, and those that were refused. */
  readonly effects = { disks: 0, refused: 0 };

  /** @throws what is no ImageError. */
  async input(seed: CompressedSeed, random: Random): Promise<void> {
    let bytes = damaged(seed.bytes, random);
    if (seed.kind === "xz" && random.below(4) > 0) fixXzChecksums(bytes);
    if (random.below(6) === 0) bytes = bytes.subarray(0, random.below(bytes.length));
    try {
      // In memory, as nothing else of its way is its own; and now and then the whole way.
      if (seed.kind === "xz" && random.below(16) > 0) decompressXz(bytes);
      else {
        const path = join(this.#folder, "disk");
        writeFileSync(path, bytes);
        (await expand(path, seed.kind, LIMIT)).close();
      }
      this.effects.disks++;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      if (/[\n\r]/.test(error.message)) throw new Error(`more than one line: ${error.message}`);
      this.effects.refused++;
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function decompressXz(bytes: Uint8Array): void {
  let size = 0;
  for (const piece of unxz(new MemoryStorage("disk", bytes, true))) {
    size += piece.length;
    if (size > LIMIT) throw new ImageError("refused", "too large");
  }
}

/** So that damage in what has a checksum of its own is looked at: stream header, first block header, index and footer. */
function fixXzChecksums(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fix = (from: number, to: number, at: number): void => {
    if (from >= 0 && to > from && at >= 0 && at + 4 <= bytes.length)
      view.setUint32(at, crc32(bytes.subarray(from, to)), true);
  };
  const end = bytes.length;
  const block = 12 + 4 * ((bytes[12] as number) + 1);
  const index = end - 12 - 4 * (view.getUint32(end - 8, true) + 1);
  fix(6, 8, 8);
  fix(12, block - 4, block - 4);
  fix(index, end - 16, end - 16);
  fix(end - 8, end - 2, end - 12);
}

function damaged(sound: Uint8Array, random: Random): Uint8Array {
  // A Buffer's slice would be the sound bytes themselves.
  const bytes = new Uint8Array(sound);
  for (let n = 1 + random.below(4); n > 0; n--) {
    // Headers and footers more than data.
    const near = random.below(3);
    const at =
      near === 0 ? random.below(32) : near === 1 ? bytes.length - 1 - random.below(64) : random.below(bytes.length);
    switch (random.below(4)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
        break;
      case 1:
        bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        for (let i = at; i < Math.min(bytes.length, at + 8); i++) bytes[i] = random.below(256);
        break;
      default:
        // Something of the file is there twice.
        bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
    }
  }
  return bytes;
}
