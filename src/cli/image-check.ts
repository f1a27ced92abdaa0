import { nodeImages } from "../hosts/node/block-file.ts";
import { refused } from "../images/error.ts";
import { openImage } from "../images/open.ts";
import { type CheckResult, checkQcow2 } from "../images/qcow2/check.ts";
import { Qcow2Image } from "../images/qcow2/qcow2.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import type { ImageOptions } from "./image.ts";
import { say } from "./report.ts";

/** Says what is wrong with an image, and puts right what can be, where that is asked for. @returns the exit status. @throws ImageError and BadInput */
export function check(options: ImageOptions<"check">, file: string): number {
  const result = checked(file, options, options.repair);
  if (options.json) process.stdout.write(`${JSON.stringify(asJson(file, result), undefined, 2)}\n`);
  else {
    for (const message of result.messages) say(`${file}: ${message}`);
    const fixed = result.corruptionsFixed + result.leaksFixed;
    if (fixed > 0) process.stdout.write(`${count(fixed, "fault")} repaired.\n`);
    process.stdout.write(`${verdict(result)}\n`);
    process.stdout.write(`${result.allocatedClusters} of ${count(result.totalClusters, "cluster")} in use.\n`);
  }
  if (result.corruptions > 0) return EXIT_STATUS.corruptImage;
  return result.leaks > 0 ? EXIT_STATUS.leakyImage : EXIT_STATUS.ok;
}

function checked(file: string, options: ImageOptions<"check">, repair: boolean): CheckResult {
  const image = openImage(nodeImages, file, {
    ...{ writable: repair, format: options.format, withoutBacking: true, forCheck: true },
  });
  try {
    if (!(image instanceof Qcow2Image))
      throw refused(`${file} is a ${image.format} image: only qcow2 images can be checked`);
    return checkQcow2(image, repair);
  } finally {
    image.close();
  }
}

function asJson(file: string, result: CheckResult): Readonly<Record<string, unknown>> {
  return {
    filename: file,
    format: "qcow2",
    corruptions: result.corruptions,
    leaks: result.leaks,
    "corruptions-fixed": result.corruptionsFixed,
    "leaks-fixed": result.leaksFixed,
    "check-errors": 0,
    "image-end-offset": result.imageEndOffset,
    "total-clusters": result.totalClusters,
    "allocated-clusters": result.allocatedClusters,
    "compressed-clusters": result.compressedClusters,
    "fragmented-clusters": result.fragmentedClusters,
    messages: result.messages,
  };
}

function verdict({ corruptions, leaks }: CheckResult): string {
  if (corruptions > 0)
    return `${count(corruptions, "fault")} found that may lose data, and ${count(leaks, "leaked cluster")}.`;
  return leaks > 0 ? `${count(leaks, "leaked cluster")}: space is lost, data is not.` : "No faults found.";
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
