// Boots the embedded guest and saves it, where something that is in the snapshot has changed: build/guest.snapshot, and beside it a hash of
// what it was made of.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Rooms whose code decides what is in a snapshot. */
const ROOMS = ["bus", "cpu", "devices", "machine", "memory", "network", "snapshot"];
const GUEST = ["Image.gz", "initramfs.cpio.gz"];
/** What init says when it waits (guests/embedded/root/init). */
const WAITS = "atoll: may be saved";
/** Until the guest has done what it began before it waited. */
const SETTLED = 300;
const SECONDS = "120";

function hashOf(root: string): string {
  const sources = ROOMS.flatMap((room) =>
    (readdirSync(join(root, "src", room), { recursive: true }) as string[])
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => join(root, "src", room, name)),
  );
  const hash = createHash("sha256");
  for (const path of [...sources.sort(), ...GUEST.map((name) => join(root, "guests", "embedded", name))])
    hash.update(path.slice(root.length)).update("\0").update(readFileSync(path));
  return hash.digest("hex");
}

/** @throws Error when the guest cannot be booted. */
export async function buildBootedGuest(root: string): Promise<void> {
  const snapshot = join(root, "build", "guest.snapshot");
  const note = join(root, "build", "guest.sha256");
  const hash = hashOf(root);
  if (existsSync(snapshot) && existsSync(note) && readFileSync(note, "utf8") === hash) return;
  rmSync(note, { force: true });
  const options = ["--append", "console=ttyAMA0 quiet atoll.snapshot", "--save", snapshot, "--timeout", SECONDS];
  const guest = spawn(process.execPath, [join(root, "src", "cli", "main.ts"), "run", ...options], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let shown = "";
  let waits = false;
  guest.stderr.on("data", (bytes: Buffer) => {
    shown += bytes.toString();
  });
  guest.stdout.on("data", (bytes: Buffer) => {
    shown += bytes.toString("latin1");
    if (waits || !shown.includes(WAITS)) return;
    waits = true;
    setTimeout(() => guest.kill("SIGTERM"), SETTLED);
  });
  const status = await new Promise((resolve) => guest.on("close", resolve));
  if (!waits || status !== 130) throw new Error(`the embedded guest cannot be booted and saved: ${shown.slice(-2000)}`);
  // It holds nothing that is not in the package.
  chmodSync(snapshot, 0o644);
  writeFileSync(note, hash);
}
