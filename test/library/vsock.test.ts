import { join } from "node:path";
import { test } from "node:test";
import { Machine } from "../../src/hosts/node/index.ts";
import { ROOT } from "../support/atoll.ts";
import { checkVsock, talkOverVsock } from "../support/vsock-scenario.ts";

test("a program talks with a guest over vsock, both ways, much and little", async () => {
  const folder = join(ROOT, "test", "systems", "programs", "bin");
  checkVsock(await talkOverVsock(Machine, { folder, tag: "programs", readOnly: true }));
});
