import type { PackageFile } from "../library/parts.ts";
import { fetchBytes } from "../library/sources.ts";

// From the bundle, which is dist/browser/worker.js. Bundlers know this form, and take the files along.
const URLS: Readonly<Record<PackageFile, URL>> = {
  "build/native.wasm": new URL("../../build/native.wasm", import.meta.url),
  "build/interpreter.wasm": new URL("../../build/interpreter.wasm", import.meta.url),
  "build/interpreter.json": new URL("../../build/interpreter.json", import.meta.url),
  "build/guest.snapshot": new URL("../../build/guest.snapshot", import.meta.url),
  "build/guest-alone.snapshot": new URL("../../build/guest-alone.snapshot", import.meta.url),
  "guests/embedded/Image.gz": new URL("../../guests/embedded/Image.gz", import.meta.url),
  "guests/embedded/initramfs.cpio.gz": new URL("../../guests/embedded/initramfs.cpio.gz", import.meta.url),
};

/** @throws AtollError "load" */
export async function browserPackageFile(name: PackageFile): Promise<Uint8Array> {
  return (await fetchBytes(URLS[name])).bytes;
}
