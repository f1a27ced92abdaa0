import assert from "node:assert/strict";
import { test } from "node:test";
import { type DomainDefinition, domainDefinition } from "../../contract/domain.ts";
import { seenDifferences } from "./guest-view.ts";

const given = {
  disk: [{ file: "/a.img", format: "raw" as const }],
  net: [{ kind: "user" as const }],
  share: [{ folder: "/www", tag: "www" }],
  vsock: { path: "/v" },
  serialPort: [{ name: "s", kind: "file" as const, path: "/out" }],
  display: {},
  watchdog: "restart" as const,
};
const differences = (changes: object): string[] =>
  seenDifferences(domainDefinition.parse(given), domainDefinition.parse({ ...given, ...changes }) as DomainDefinition);

test("a guest does not see its share, its ports, how it is watched and restarted, or where its devices lead", () => {
  assert.deepEqual(
    differences({
      net: [{ kind: "user", capture: "/c.pcap" }],
      publish: [{ port: 80, guestPort: 80 }],
      share: [{ folder: "/other", tag: "www" }],
      vsock: { path: "/other", domains: true },
      serialPort: [{ name: "s", kind: "socket", path: "/other" }],
      display: { password: "secret" },
      watchdog: "fail",
      schedule: { weight: 1 },
      restart: { when: "always" },
      dependsOn: [{ domain: "db" }],
      health: { tcp: 80 },
      noReboot: true,
      autostart: false,
      stopTimeout: 1,
    }),
    [],
  );
});

const SEEN: readonly (readonly [string, unknown])[] = [
  ["kernel", "/Image"],
  ["append", "quiet"],
  ["memory", 2 ** 26],
  ["cpus", 2],
  ["balloon", false],
  ["disk", [{ file: "/b.img", format: "raw" }]],
  ["disk", [{ file: "/a.img", format: "raw", readOnly: true }]],
  ["disk", []],
  ["net", []],
  ["net", [{ kind: "network", name: "back", mac: "52:54:00:00:00:01" }]],
  ["share", [{ folder: "/www", tag: "other" }]],
  ["vsock", { path: "/v", cid: 7 }],
  ["serialPort", []],
  ["display", undefined],
  ["watchdog", undefined],
];

for (const [field, value] of SEEN)
  test(`a guest sees another ${field} (${JSON.stringify(value)})`, () => {
    assert.deepEqual(differences({ [field]: value }), [field]);
  });
