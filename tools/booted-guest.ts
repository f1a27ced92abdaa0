// Boots the embedded guest and saves it, where something that is in the snapshot has changed: build/guest.snapshot with a network, as
// `atoll run` has one, build/guest-alone.snapshot without, as pages have it, and beside each a hash of what it was made of.

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runGuest } from "./guest.ts";
import { filesIn, hashOf, makeOf } from "./made-of.ts";

/** Rooms whose code decides what is in a snapshot. */
const ROOMS = ["bus", "cpu", "devices", "machine", "memory", "network", "snapshot"];
const GUEST = ["Image.gz", "initramfs.cpio.gz"];
/** What init says when it waits (guests/embedded/root/init). */
const WAITS = "atoll: may be saved";
/** Until the guest has done what it began before it waited. */
const SETTLED = 300;
const GUESTS: Readonly<Record<string, readonly string[]>> = {
  guest: [],
  "guest-alone": ["--net", "none"],
};

/** @throws Error when the guest cannot be booted. */
export async function buildBootedGuests(root: string): Promise<void> {
  const rooms = ROOMS.map((room) => join("src", room));
  const sources = filesIn(root, rooms, (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const guest = GUEST.map((name) => join("guests", "embedded", name));
  const hash = hashOf(root, [...sources, ...guest, join("tools", "booted-guest.ts"), join("tools", "guest.ts")]);
  for (const [name, options] of Object.entries(GUESTS)) {
    const target = join(root, "build", `${name}.snapshot`);
    await makeOf(hash, { target, note: join(root, "build", `${name}.sha256`) }, async () => {
      await boot(root, target, options);
      writeFileSync(target, await withDeflate(target));
      // It holds nothing that is not in the package.
      chmodSync(target, 0o644);
    });
  }
}

async function boot(root: string, snapshot: string, options: readonly string[]): Promise<void> {
  const saving = ["--append", "console=ttyAMA0 quiet atoll.snapshot", "--save", snapshot];
  await runGuest(
    [join(root, "src", "cli", "main.ts"), "run", ...saving, ...options],
    [{ shown: WAITS, act: (guest) => void setTimeout(() => guest.kill("SIGTERM"), SETTLED) }],
  );
}

/** The snapshot as browsers can read it, too: they have no Zstandard. */
async function withDeflate(path: string): Promise<Uint8Array> {
  const [{ SnapshotReader }, { SnapshotWriter }, { BytesSink, sourceOfBytes }, { checksum, snapshotCodec: codec }] =
    await Promise.all([
      import("../src/snapshot/reader.ts"),
      import("../src/snapshot/writer.ts"),
      import("../src/snapshot/streams.ts"),
      import("../src/hosts/node/snapshot-file.ts"),
    ]);
  const source = sourceOfBytes(new Uint8Array(readFileSync(path)));
  const reader = new SnapshotReader({ source, codec, checksum });
  const sink = new BytesSink();
  const writer = new SnapshotWriter({ sink, codec, checksum, encoding: "deflate" });
  await writer.begin();
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
    await writer.chunk(chunk.name, chunk.version, chunk.page, await reader.content(chunk));
  await writer.end();
  return sink.bytes();
}
