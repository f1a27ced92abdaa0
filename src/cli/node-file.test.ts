import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BadInput } from "../machine/runnable.ts";
import { readNodeFile } from "./node-file.ts";

const read = (text: string) => readNodeFile(text, "shop.yaml");
const fault = (text: string): string => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof BadInput) return error.message;
    throw error;
  }
  return "none";
};

test("values are written as on the command line, or as fields", () => {
  const { node, domains } = read(
    `
node: { cpus: 2, memory: 1G }
domains:
  db:
    memory: 256M
    disk: [new:8G, "data.img,readonly,serial=D1"]
    net: switch:back
    schedule: { weight: 512, reservation: 0.5 }
  front:
    memory: { }
`.replace(
      "    memory: { }\n",
      "    publish: 8080:80\n    share: { folder: ./web, tag: web }\n    dependsOn: [{ domain: db }]\n",
    ),
  );
  assert.equal(node.cpus, 2);
  assert.equal(node.memory, 2 ** 30);
  assert.equal(domains.db?.memory, 2 ** 28);
  assert.deepEqual(domains.db?.disk[0], { bytes: 8 * 2 ** 30, serial: undefined });
  assert.equal(domains.db?.net[0]?.kind, "switch");
  assert.equal(domains.db?.schedule.reservation, 0.5);
  assert.deepEqual(domains.front?.publish, [{ protocol: "tcp", address: "127.0.0.1", port: 8080, guestPort: 80 }]);
  assert.deepEqual(domains.front?.share, [{ folder: "./web", tag: "web", readOnly: false }]);
  assert.deepEqual(domains.front?.dependsOn, [{ domain: "db", is: "started" }]);
});

test("a domain without fields is one with the defaults of atoll run", () => {
  const { domains } = read("domains:\n  a:\n");
  assert.equal(domains.a?.memory, 512 * 2 ** 20);
  assert.equal(domains.a?.cpus, 1);
});

test("what is wrong is told with its line and its path", () => {
  assert.match(fault("domains:\n  a:\n    memory: 7K"), /^shop\.yaml:3: domains\.a\.memory: give /);
  assert.match(
    fault("domains:\n  a:\n    cpus: 1\n    color: red"),
    /^shop\.yaml:4: domains\.a\.color: there is no such field$/,
  );
  assert.match(
    fault("domains:\n  a: { disk: [new:8G, 'x,readonly', new:1X] }"),
    /^shop\.yaml:2: domains\.a\.disk\.2: give a size/,
  );
  assert.match(fault("domains:\n  A b:\n    cpus: 1"), /^shop\.yaml:2: domains\.A b: /);
  assert.match(fault("domains:\n  a:\n   cpus: 1\n  a:\n   cpus: 2"), /^shop\.yaml:4: .*unique/);
  assert.match(fault("domains: [1\n"), /^shop\.yaml:\d: /);
  assert.match(fault(""), /^shop\.yaml:1: give domains/);
  assert.match(fault("node: {cpus: 1}"), /^shop\.yaml:1: domains: /);
});

test("domains wait for domains that there are, and not for each other", () => {
  assert.match(
    fault("domains:\n  a:\n    dependsOn:\n      - { domain: b }"),
    /^shop\.yaml:4: domains\.a\.dependsOn\.0: there is no domain b$/,
  );
  assert.match(
    fault("domains:\n  a: { dependsOn: [{ domain: b }] }\n  b: { dependsOn: [{ domain: a }] }"),
    /a and b wait for each other/,
  );
});

test("what could not be started is told before anything is stopped for it", () => {
  const domain = (fields: string): string => `node: { cpus: 2 }\ndomains:\n  a:\n    ${fields}`;
  assert.match(fault(domain("health: { tcp: 80 }")), /^shop\.yaml:4: domains\.a\.health: port 80 has to be published/);
  assert.match(fault(domain("publish: 8080:80\n    net: none")), /^shop\.yaml:4: domains\.a\.publish: only .* user/);
  assert.match(
    fault(domain("schedule: { pinned: [[0, 2]] }")),
    /^shop\.yaml:4: .* no CPU 2 to pin to: the node has 2$/,
  );
  read(domain("schedule: { pinned: [[0, 1]] }\n    publish: 8080:80\n    health: { tcp: 80 }"));
});

test("what kind of value is wanted is told in YAML's words", () => {
  assert.match(fault("domains: []"), /^shop\.yaml:1: domains: give a mapping$/);
  assert.match(fault("domains:\n  a:\n    dependsOn: [b]"), /dependsOn\.0: give a mapping$/);
  assert.match(fault("domains:\n  a:\n    balloon: 1"), /balloon: give true or false$/);
  assert.match(fault("domains:\n  A_b: {}"), /domains\.A_b: give a name of at most 63/);
});

test("interfaces are on networks that there are, in groups that they have, each with an address of its own", () => {
  const file = (a: string, b = "user"): string =>
    `networks:\n  lan: { isolation: [tenants] }\n  dmz: {}\ndomains:\n  a:\n    net:\n      - user\n      - ${a}\n  b:\n    net: ${b}\n`;
  const { domains } = read(file("network:lan,isolation=tenants", "{ kind: network, name: dmz, anyMac: true }"));
  assert.deepEqual(
    domains.a?.net.map(({ kind }) => kind),
    ["user", "network"],
  );
  assert.deepEqual(domains.b?.net[0], { kind: "network", name: "dmz", anyMac: true });
  assert.match(fault(file("network:wan")), /^shop\.yaml:8: domains\.a\.net\.1: there is no network wan/);
  assert.match(fault(file("user")), /^shop\.yaml:8: domains\.a\.net\.1: give user once/);
  assert.match(fault(file("none")), /^shop\.yaml:8: domains\.a\.net\.1: none is alone$/);
  assert.match(fault(file("network:dmz,isolation=tenants")), /^shop\.yaml:8: .* dmz has no isolation group tenants$/);
  const mac = "mac=52:54:00:00:00:01";
  assert.match(fault(file(`network:lan,${mac}`, `network:lan,${mac}`)), /^shop\.yaml:\d+: domains\.b\.net.* that mac$/);
  assert.match(fault("networks:\n  a b: {}\ndomains: {}\n"), /^shop\.yaml:2: networks\.a b: /);
  assert.match(
    fault("networks:\n  a:\n    color: red\ndomains: {}\n"),
    /^shop\.yaml:3: networks\.a\.color: there is no/,
  );
});

test("channels have two members at least, which there are", () => {
  const file = (members: string, size = "64K"): string =>
    `channels:\n  orders:\n    size: ${size}\n    members: ${members}\ndomains: { a: , b: , c: }\n`;
  assert.deepEqual(read(file("[a, { domain: b, readOnly: true }]")).channels, {
    orders: {
      size: 65536,
      members: [
        { domain: "a", readOnly: false },
        { domain: "b", readOnly: true },
      ],
    },
  });
  assert.match(fault(file("[a, d]")), /^shop\.yaml:4: channels\.orders\.members\.1: there is no domain d$/);
  assert.match(fault(file("[a, b, a]")), /^shop\.yaml:4: channels\.orders\.members\.2: a is there twice$/);
  assert.match(fault(file("[a]")), /^shop\.yaml:4: channels\.orders\.members: give two members at least$/);
  assert.match(fault(file("[a, b]", "1K")), /^shop\.yaml:3: channels\.orders\.size: give /);
  assert.match(fault(file("[a, b]", "17M")), /^shop\.yaml:3: channels\.orders\.size: give /);
  assert.match(
    fault("channels:\n  x: { members: [a, b] }\ndomains: { a: , b: }"),
    /^shop\.yaml:2: channels\.x\.size: /,
  );
});

test("domains that reach each other by vsock have CIDs of their own", () => {
  const file = (a: string, b: string): string => `domains:\n  a: { vsock: "${a}" }\n  b: { vsock: "${b}" }\n`;
  assert.deepEqual(read(file("path=a,cid=5,domains=on", "path=b,domains=on")).domains.a?.vsock, {
    path: "a",
    cid: 5,
    domains: true,
  });
  assert.equal(read(file("path=a", "path=b")).domains.b?.vsock?.domains, false);
  assert.match(
    fault(file("path=a,domains=on", "path=b,domains=on")),
    /^shop\.yaml:3: domains\.b\.vsock: a has the CID 3/,
  );
});

test("any text is a file or one line of what is wrong with it", () => {
  const bits = fc.constantFrom(
    "domains:",
    "\n",
    "  ",
    "a:",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "disk: ",
    "new:1G",
    "&x ",
    "*x",
    "<<: ",
    "'",
    "?",
    "!!js ",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(bits).map((each) => each.join("")),
      ),
      (text) => {
        const message = fault(text);
        assert.ok(!message.includes("\n"));
      },
    ),
    { numRuns: 500 },
  );
});
