// Screens of machines that are saved and go on in another process: viewers come again, and see what was shown.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { EmbeddedGuest } from "../support/embedded-guest.ts";
import { rawKernel } from "../support/raw-kernels.ts";
import { ENCODINGS, RfbClient } from "../support/rfb-client.ts";

const PASSWORD = "open sea";
const DISPLAY = ["--display", `vnc=:auto,password=${PASSWORD}`];
const RED = 0xaa0000;

const folder = mkdtempSync(join(tmpdir(), "atoll-displays-"));
after(() => rmSync(folder, { recursive: true }));

/** Goes on with a machine that is ended and saved. */
async function goesOn(saved: Atoll, file: string): Promise<Atoll> {
  saved.child.kill("SIGTERM");
  assert.equal((await saved.finished).status, 130);
  return new Atoll(["restore", file, "--timeout", "200"]);
}

/** A viewer of a machine that has said where it is shown. */
async function viewer(machine: Atoll): Promise<RfbClient> {
  const port = (): string | undefined => /ws:\/\/127\.0\.0\.1:(\d+)/.exec(machine.stderr)?.[1];
  while (port() === undefined) await once(machine.child.stderr, "data");
  const client = await RfbClient.connect(Number(port()), PASSWORD);
  client.setEncodings(ENCODINGS.zrle, ENCODINGS.extendedDesktopSize);
  client.request(false);
  return client;
}

/** Takes updates until the picture is as wanted. */
async function until(client: RfbClient, wanted: () => boolean): Promise<void> {
  while (!wanted()) {
    await client.update();
    client.request(true);
  }
}

const isRed = ({ pixels }: RfbClient, least: number): boolean =>
  pixels.filter((pixel) => pixel === RED).length >= least;

// Sets up a picture of 64 by 64 pixels by way of the firmware configuration device, and fills it.
const RAMFB = [
  0x10000280, // adr x0, 3f (what is to be transferred)
  0x100002e1, // adr x1, 4f (the file)
  0xdac00c22, // rev x2, x1
  0xf9000402, // str x2, [x0, #8]
  0xd2a88004, // mov x4, #0x44000000
  0x52a01543, // mov w3, #0xaa0000
  0x52820006, // mov w6, #64*64
  0xb8004483, // 1: str w3, [x4], #4
  0x710004c6, // subs w6, w6, #1
  0x54ffffc1, // b.ne 1b
  0xd2a12047, // mov x7, #0x09020000
  0xb90010ff, // str wzr, [x7, #0x10]
  0x5ac00808, // rev w8, w0
  0xb90014e8, // str w8, [x7, #0x14]
  0xd2a12000, // mov x0, #0x09000000
  0x52800421, // mov w1, #'!'
  0xb9000001, // str w1, [x0] (UARTDR)
  0xd503207f, // 2: wfi
  0x17ffffff, // b 2b
  0xd503201f, // nop
  // 3: the first file is selected and written, 28 bytes of it; all big-endian
  ...[0x18002000, 0x1c000000, 0, 0],
  // 4: address, XR24, flags, width, height, bytes from row to row
  ...[0, 0x00000044, 0x58523234, 0, 0x40000000, 0x40000000, 0x00010000],
];

test("a picture in the guest's RAM is shown again", { timeout: 200_000 }, async () => {
  const file = join(folder, "ramfb.snapshot");
  const kernel = rawKernel(folder, "ramfb", RAMFB);
  const first = new Atoll([
    "run",
    "--kernel",
    kernel,
    "--memory",
    "128M",
    "--timeout",
    "200",
    "--save",
    file,
    ...DISPLAY,
  ]);
  await first.waitFor("!", 60);
  const before = await viewer(first);
  await until(before, () => before.width === 64 && isRed(before, 64 * 64));
  before.close();
  const again = await goesOn(first, file);
  const client = await viewer(again);
  await until(client, () => client.width === 64 && client.height === 64 && isRed(client, 64 * 64));
  client.close();
  again.child.kill("SIGTERM");
  await again.finished;
});

test("a viewer comes again, sees what Linux has drawn, and types to it", { timeout: 300_000 }, async () => {
  const file = join(folder, "linux.snapshot");
  const guest = await EmbeddedGuest.boot(...DISPLAY, "--save", file);
  const before = await viewer(guest.process);
  await guest.run("printf '\\033[41m\\033[2J' >/dev/tty1");
  await until(before, () => isRed(before, 1_000_000));
  const again = await goesOn(guest.process, file);
  const client = await viewer(again);
  await until(client, () => isRed(client, 1_000_000));
  await client.type("echo $((6*7)) from `tty` >/dev/ttyAMA0");
  await again.waitFor("42 from /dev/tty1", 60);
  client.close();
  again.child.kill("SIGTERM");
  await again.finished;
});
