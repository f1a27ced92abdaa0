import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const MODULE = JSON.stringify(new URL("./v8-flags.ts", import.meta.url).href);

/** What a program of its own prints. */
function printed(program: string): string {
  const text = `import { Script } from "node:vm";
    import { setFlag, withStartFlags } from ${MODULE};
    const source = "(function () { return 1; })";
    const code = () => new Script(source).createCachedData().toString("base64");
    ${program}`;
  return execFileSync(process.execPath, ["--input-type=module", "--eval", text], { encoding: "utf8" });
}

const isTaken = (code: string): boolean =>
  printed(
    `process.stdout.write(String(new Script(source, { cachedData: Buffer.from("${code}", "base64") }).cachedDataRejected));`,
  ) === "false";

test("code that is kept under the flags of the start is taken by a program that has set none", () => {
  const [kept = "", other = ""] = printed(`
    setFlag("--semi-space-growth-factor=1", "--semi-space-growth-factor=2");
    process.stdout.write(withStartFlags(code) + " " + code());`).split(" ");
  assert.ok(isTaken(kept));
  assert.ok(!isTaken(other), "the flag is set again");
});
