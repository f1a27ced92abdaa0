// Shared folders with a Linux guest.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EmbeddedGuest } from "../support/embedded-guest.ts";

const MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000";

test("a guest works in a shared folder, reads another, and leaves neither", { timeout: 300_000 }, async () => {
  const base = mkdtempSync(join(tmpdir(), "atoll-"));
  let guest: EmbeddedGuest | undefined;
  try {
    const [work, fixed] = [join(base, "work"), join(base, "fixed")];
    for (const folder of [work, fixed]) mkdirSync(folder);
    writeFileSync(join(base, "secret"), "secret");
    const data = Buffer.alloc(3 << 20, "0123456789abcde\n");
    writeFileSync(join(work, "data"), data);
    writeFileSync(join(fixed, "kept"), "kept");
    guest = await EmbeddedGuest.boot("--share", `${work}:work`, "--share", `${fixed}:fixed,readonly`);
    await guest.run(`mkdir -p /w /r; ${MOUNT} work /w && ${MOUNT} fixed /r && cd /w`);
    const sum = await guest.run("sha256sum data", 120);
    const { createHash } = await import("node:crypto");
    assert.match(sum, new RegExp(createHash("sha256").update(data).digest("hex")));

    await guest.run("mkdir -p a/b && mv a/b a/c && cp data a/c/copy && ln data hard && ln -s ../secret link && sync");
    assert.ok(readFileSync(join(work, "a/c/copy")).equals(data));
    assert.deepEqual([statSync(join(work, "data")).nlink, readlinkSync(join(work, "link"))], [2, "../secret"]);
    assert.match(await guest.run("ls -lR | wc -l; stat -c '%U %s' data; df -T /w | tail -1"), /root 3145728[\s\S]*9p/);
    await guest.run("echo more >>a/c/copy; truncate -s 10 hard; touch -d @1000000000 data; chmod 640 data");
    assert.equal(statSync(join(work, "a/c/copy")).size, data.length + 5);
    const { size, mtimeMs, mode } = statSync(join(work, "data"));
    assert.deepEqual([size, mtimeMs, mode & 0o777], [10, 1e12, 0o640]);

    // The link leads to the guest's own /secret, which is not there.
    assert.match(await guest.run("cat link"), /No such file/);
    assert.match(await guest.run("cat /w/../secret; ls /w/../../../.. | head -3"), /No such file/);
    assert.match(await guest.run("mknod pipe p; mknod zero c 1 5"), /not permitted[\s\S]*not permitted/);

    assert.match(
      await guest.run("cat /r/kept; echo x >/r/kept; rm /r/kept; touch /r/new"),
      /^kept[\s\S]*Read-only file system/,
    );
    assert.deepEqual([readFileSync(join(fixed, "kept"), "utf8"), existsSync(join(fixed, "new"))], ["kept", false]);
    await guest.run("rm -r a link hard && cd / && umount /w /r");
    assert.deepEqual([existsSync(join(work, "a")), existsSync(join(work, "data"))], [false, true]);
    await guest.powerOff();
  } finally {
    guest?.process.kill();
    rmSync(base, { recursive: true });
  }
});
