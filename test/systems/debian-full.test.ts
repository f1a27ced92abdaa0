// Debian's own userland and installer. `node test/systems/debian-full.ts` goes on from here: packages over the network, and a second boot.
// These take minutes on a busy computer, so they want ATOLL_LONG=1.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { DEBIAN, missingDebian } from "./debian-full-steps.ts";

const skip = process.env.ATOLL_LONG === undefined ? "takes minutes: set ATOLL_LONG=1 to run it" : missingDebian();

test("Debian reaches its login prompt with systemd, its generic kernel and initrd, and shuts down", {
  skip,
  timeout: 900_000,
}, async () => {
  const guest = new Atoll([
    ...[
      "run",
      "--kernel",
      DEBIAN.kernel,
      "--initrd",
      DEBIAN.initrd,
      "--append",
      "console=ttyAMA0 root=LABEL=root quiet",
    ],
    ...["--disk", `${DEBIAN.disk},format=raw,snapshot`, "--memory", "1G", "--no-reboot", "--timeout", "840"],
  ]);
  await guest.waitFor(/atoll-debian login: /, 600);
  guest.type("root\r");
  await guest.waitFor("Password:", 120);
  guest.type("atoll\r");
  await guest.waitFor(/root@atoll-debian:~# /, 120);
  guest.type("poweroff\r");
  const { status, stdout, stderr } = await guest.finished;
  assert.equal(status, 0, stdout.slice(-1000) + stderr);
});

test("debian-installer's netboot kernel and initrd reach the first screen", {
  skip,
  timeout: 900_000,
}, async () => {
  const guest = new Atoll([
    ...["run", "--kernel", DEBIAN.installer, "--initrd", DEBIAN.installerInitrd, "--append", "console=ttyAMA0"],
    ...["--memory", "1G", "--timeout", "840"],
  ]);
  // The first question is of the language; all of it is drawn on a terminal, in pieces.
  await guest.waitFor(/Select a language/, 600);
  await guest.waitFor(/English/, 120);
  guest.child.kill("SIGTERM");
  await guest.finished;
});
