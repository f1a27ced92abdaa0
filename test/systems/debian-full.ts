// A whole Debian on Atoll, from its disk: node test/systems/debian-full.ts [--boot direct|firmware] [--cpus N] [--seconds N] [--qemu]
//
// Boots to the login prompt, logs in, installs packages from a server on this computer's loopback interface, shuts down, boots again, and
// looks for what was installed; then checks the file system on the host. The disk itself stays as it is: all goes into an overlay.
// guests/debian-full/build.sh makes what is needed.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../support/atoll.ts";
import { type Boot, DEBIAN, type Emulator, install, missingDebian, remains } from "./debian-full-steps.ts";

/** Of the root's partition on the disk. */
const ROOT_OFFSET = 65 * 2 ** 20;

const { values } = parseArgs({
  options: {
    boot: { type: "string", default: "direct" },
    cpus: { type: "string", default: "1" },
    seconds: { type: "string", default: "900" },
    qemu: { type: "boolean", default: false },
  },
});
const missing = missingDebian();
if (missing !== false) {
  console.log(missing);
  process.exit(77);
}
const folder = mkdtempSync(join(tmpdir(), "atoll-debian-"));
const overlay = join(folder, "disk.qcow2");
const image = (...args: string[]): void => {
  execFileSync(process.execPath, [join(ROOT, "bin", "atoll.js"), "image", ...args], { stdio: "inherit" });
};
try {
  image("create", "--format", "qcow2", "--backing", DEBIAN.disk, "--backing-format", "raw", overlay);
  const emulator: Emulator = values.qemu ? "qemu" : "atoll";
  const options = { emulator, boot: values.boot as Boot, cpus: Number(values.cpus), seconds: Number(values.seconds) };
  const row = (name: string, times: Readonly<Record<string, number>>): void => {
    const text = Object.entries(times).map(([what, ms]) => `${what} ${(ms / 1000).toFixed(1)} s`);
    console.log(`${name}: ${text.join(", ")}`);
  };
  row("first boot", await install(overlay, options));
  row("second boot", await remains(overlay, options));
  const raw = join(folder, "disk.raw");
  image("check", overlay);
  image("convert", "--output", "raw", overlay, raw);
  const env = { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` };
  execFileSync("e2fsck", ["-f", "-n", `${raw}?offset=${ROOT_OFFSET}`], { stdio: "inherit", env });
} finally {
  rmSync(folder, { recursive: true });
}
