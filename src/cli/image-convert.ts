import { nodeImages } from "../hosts/node/block-file.ts";
import { openForReading } from "../hosts/node/disk.ts";
import { NewFile } from "../hosts/node/new-file.ts";
import { copyImage } from "../images/convert.ts";
import { refused } from "../images/error.ts";
import type { Image } from "../images/image.ts";
import { createQcow2, type Qcow2CreateOptions } from "../images/qcow2/create.ts";
import { Header } from "../images/qcow2/header.ts";
import { Qcow2Image } from "../images/qcow2/qcow2.ts";
import { RawImage } from "../images/raw.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import type { ImageOptions } from "./image.ts";
import { createOptions } from "./image-options.ts";

/** Copies a disk into a new image, which has its name only when it is whole. @returns the exit status. @throws ImageError and BadInput */
export async function convert(options: ImageOptions<"convert">, source: string, target: string): Promise<number> {
  const { backingFile, backingFormat, ...qcow2 } = createOptions(options.options);
  if (backingFile !== undefined || backingFormat !== undefined)
    throw new BadInput("convert makes images without a backing file");
  if (options.output === "raw" && (options.compress || options.options.length > 0)) {
    throw new BadInput("a raw image has no compression and no properties: give -O qcow2");
  }
  const from = await openForReading(source, options.format, options.limit);
  try {
    if (options.snapshot !== undefined) {
      if (!(from instanceof Qcow2Image))
        throw refused(`${source} is a ${from.format} image: only qcow2 images have snapshots`);
      from.showSnapshot(options.snapshot);
    }
    return await into(new NewFile(target, options.force), from, options, qcow2);
  } finally {
    from.close();
  }
}

async function into(
  file: NewFile,
  from: Image,
  options: ImageOptions<"convert">,
  qcow2: Qcow2CreateOptions,
): Promise<number> {
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, interrupt);
  const progress = new Progress(from.bytes, options.progress);
  try {
    const to = open(file, from.bytes, options.output, qcow2);
    for (const done of copyImage(from, to, options.compress)) {
      progress.show(done);
      // Signals arrive between events only.
      await new Promise((resolve) => setImmediate(resolve));
      if (interrupted) return EXIT_STATUS.interrupted;
    }
    to.close();
    file.finish();
    return EXIT_STATUS.ok;
  } finally {
    progress.end();
    file.abandon();
  }
}

function open(file: NewFile, bytes: number, format: "raw" | "qcow2", options: Qcow2CreateOptions): Image {
  const { storage } = file;
  if (format === "raw") {
    storage.truncate(bytes);
    return new RawImage(storage, false);
  }
  createQcow2(storage, bytes, options);
  return new Qcow2Image(storage, new Header(storage), undefined, nodeImages.codecs);
}

/** A line on stderr that shows how far it is: on a terminal, once it takes longer than a moment. */
class Progress {
  readonly #total: number;
  readonly #always: boolean;
  #next = performance.now() + 1000;
  #shown = false;

  constructor(total: number, always: boolean) {
    this.#total = total;
    this.#always = always;
    if (always) this.#next = 0;
  }

  show(done: number): void {
    if (performance.now() < this.#next || !(this.#always || process.stderr.isTTY)) return;
    this.#next = performance.now() + 200;
    this.#shown = true;
    process.stderr.write(`\r${((100 * done) / Math.max(1, this.#total)).toFixed(1)} % `);
  }

  end(): void {
    if (this.#shown) process.stderr.write("\n");
  }
}
