import { statSync } from "node:fs";
import { unlockedImages } from "../hosts/node/block-file.ts";
import { refused } from "../images/error.ts";
import type { Format } from "../images/image.ts";
import { backingPath, openImage } from "../images/open.ts";
import { Qcow2Image } from "../images/qcow2/qcow2.ts";
import type { Snapshot } from "../images/qcow2/snapshot-table.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import type { ImageOptions } from "./image.ts";

type Info = Readonly<Record<string, unknown>>;

const MAX_CHAIN = 100;

/** Shows an image, and with --backing-chain all that is under it. @returns the exit status. @throws ImageError and BadInput */
export function info(options: ImageOptions<"info">, file: string): number {
  const chain: Info[] = [];
  let next: { file: string; format: Format | undefined } | undefined = { file, format: options.format };
  while (next !== undefined) {
    if (chain.length >= MAX_CHAIN) throw refused(`more than ${MAX_CHAIN} images are on top of each other`);
    const image = openImage(unlockedImages, next.file, { writable: false, format: next.format, withoutBacking: true });
    const header = image instanceof Qcow2Image ? image.header : undefined;
    const under: string | undefined = header?.backingFile;
    const full: string | undefined = under === undefined ? undefined : backingPath(unlockedImages, next.file, under);
    chain.push({
      filename: next.file,
      format: image.format,
      "virtual-size": image.bytes,
      "actual-size": statSync(next.file).blocks * 512,
      ...image.details(),
      ...(under === undefined ? {} : { "backing-filename": under, "full-backing-filename": full }),
      ...(header?.backingFormat === undefined ? {} : { "backing-filename-format": header.backingFormat }),
      ...(image instanceof Qcow2Image && image.snapshots.length > 0
        ? { snapshots: image.snapshots.map(snapshotInfo) }
        : {}),
    });
    image.close();
    next =
      options.chain && full !== undefined
        ? { file: full, format: header?.backingFormat as Format | undefined }
        : undefined;
  }
  const shown = options.json
    ? JSON.stringify(options.chain ? chain : chain[0], undefined, 2)
    : chain.map(formatInfo).join("\n\n");
  process.stdout.write(`${shown}\n`);
  return EXIT_STATUS.ok;
}

/** An internal snapshot as `image info --json` shows it. */
export function snapshotInfo(snapshot: Snapshot): Info {
  return {
    id: snapshot.id,
    name: snapshot.name,
    "vm-state-size": snapshot.vmStateBytes,
    "date-sec": snapshot.seconds,
    "date-nsec": snapshot.nanoseconds,
  };
}

function formatInfo(values: Info): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (name === "snapshots") return `snapshots:\n${(value as Info[]).map((s) => `  ${snapshotLine(s)}`).join("\n")}`;
      const shown = name.endsWith("-size") && typeof value === "number" ? `${units(value)} (${value} bytes)` : value;
      return `${name.replaceAll("-", " ")}: ${printable(String(shown))}`;
    })
    .join("\n");
}

/** One line: the identifier, the name, the date in UTC. */
export function snapshotLine(snapshot: Info): string {
  const date = new Date((snapshot["date-sec"] as number) * 1000).toISOString().slice(0, 19).replace("T", " ");
  return `${printable(String(snapshot.id)).padEnd(4)} ${date}  ${printable(String(snapshot.name))}`;
}

/** Names inside images are anybody's: they must not command the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that are replaced
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

function units(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < 6; unit++) value /= 1024;
  return `${Number(value.toFixed(2))} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit]}`;
}
