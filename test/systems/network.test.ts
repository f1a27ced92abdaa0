// The embedded guest on its networks: the host's loopback interface, a name server of the test's, and other machines.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { PROMPT } from "../support/embedded-guest.ts";
import { HAS_IP6, HAS_NETWORK, NO_DHCP } from "../support/in-guest.ts";

const PAGE = "a page of the host's ".repeat(40_000);
const GATEWAY = [10, 0, 2, 2];
const hasIp6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

/** Runs a command in the guest and gives what it showed. */
async function ask(guest: Atoll, command: string, seconds = 60): Promise<string> {
  const from = guest.stdout.length;
  const number = guest.stdout.length;
  guest.type(`${command}; echo done-$((${number}+1))\n`);
  await guest.waitFor(`done-${number + 1}`, seconds);
  return guest.stdout.slice(from);
}

function serve(host: string): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method === "GET") response.end(PAGE);
    else request.on("data", () => {}).on("end", () => response.end("taken"));
  });
  return new Promise((resolve) => server.listen(0, host, () => resolve(server)));
}

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

/** Answers A queries for any name under .test with the gateway's address; there are no others. */
function nameServer(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const end = query.indexOf(0, 12) + 5;
    const question = query.subarray(12, end);
    const known = question.includes("test") && question.readUInt16BE(question.length - 4) === 1;
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
    head.writeUInt32BE(0x0001_0000 | (known ? 1 : 0), 4);
    head.writeUInt32BE(0, 8);
    const answer = known ? [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...GATEWAY] : [];
    socket.send(Buffer.concat([head, question, Buffer.from(answer)]), from.port, from.address);
  });
  return new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(socket)));
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = await serve("127.0.0.1");
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("a guest and its host: DHCP, names, TCP, UDP, IPv6, published ports", { timeout: 300_000 }, async () => {
  const dns = await nameServer();
  const web = await serve("127.0.0.1");
  const web6 = hasIp6 ? await serve("::1") : undefined;
  const [tcp, udp] = [await freePort(), await freePort()];
  const guest = new Atoll([
    ...["run", "--timeout", "240", "--net", `user,dns=127.0.0.1:${portOf(dns)}`],
    ...["--publish", `${tcp}:8000`, "--publish", `${udp}:9000/udp`],
  ]);
  try {
    await guest.waitFor(PROMPT, 100);
    assert.match(await ask(guest, `${HAS_NETWORK}; cat /etc/resolv.conf`), /^nameserver 10\.0\.2\.3\r?$/m);
    assert.match(
      await ask(guest, "ip addr show eth0; ip route"),
      /inet 10\.0\.2\.15\/24[\s\S]*default via 10\.0\.2\.2/,
    );
    const page = await ask(guest, `wget -q -O - http://web.test:${portOf(web)}/ | wc -c`);
    assert.match(page, new RegExp(`^${PAGE.length}\r?$`, "m"));
    assert.match(await ask(guest, "nslookup nobody.invalid"), /NXDOMAIN|can't/);
    assert.match(await ask(guest, "ping -c 2 -W 5 -s 3000 10.0.2.2"), /2 packets received/);
    assert.match(await ask(guest, "wget -q -O - -T 5 http://10.0.2.2:9/"), /refused/);
    if (web6) {
      const six = await ask(guest, `${HAS_IP6}; wget -q -O - http://[fec0::2]:${portOf(web6)}/ | wc -c`);
      assert.match(six, new RegExp(`^${PAGE.length}\r?$`, "m"));
    }

    await ask(guest, "mkdir /tmp/www; head -c 3000000 /dev/urandom >/tmp/www/f; httpd -p 8000 -h /tmp/www");
    const sum = /^([0-9a-f]{64}) /m.exec(await ask(guest, "sha256sum /tmp/www/f"))?.[1];
    const bytes = new Uint8Array(await (await fetch(`http://127.0.0.1:${tcp}/f`)).arrayBuffer());
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
    assert.equal(digest, sum);

    await ask(guest, "(udpsvd -E 0.0.0.0 9000 cat >/dev/null 2>&1 &)");
    assert.equal(await echoed(udp), "over and back");
    guest.type("poweroff\n");
    assert.equal((await guest.finished).status, 0);
  } finally {
    guest.kill();
    dns.close();
    web.close();
    web6?.close();
  }
});

/** What a UDP server at that port sends back, asked until it does. */
function echoed(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const ask = (): void => socket.send("over and back", port, "127.0.0.1");
    const timer = setInterval(ask, 500);
    socket.on("message", (bytes) => {
      clearInterval(timer);
      socket.close();
      resolve(bytes.toString());
    });
    ask();
  });
}

test("a published port of a guest that is not up yet answers when it is", { timeout: 200_000 }, async () => {
  const port = await freePort();
  const guest = new Atoll(["run", "--timeout", "150", "--publish", `${port}:23`]);
  try {
    await guest.waitFor("", 10);
    const socket = await new Promise<ReturnType<typeof connect>>((resolve) => {
      const tryOnce = (): void => {
        const attempt = connect(port, "127.0.0.1", () => resolve(attempt)).on("error", () => setTimeout(tryOnce, 100));
      };
      tryOnce();
    });
    let got = "";
    socket.on("data", (bytes) => {
      got += bytes.toString();
    });
    socket.on("error", () => {});
    await guest.waitFor(PROMPT, 100);
    guest.type("while true; do nc -l -p 23 -e echo here-i-am; done\n");
    // Nobody listened when the guest came up: that connection was reset, and another is to be made. One listener would not do, as it may be
    // taken by a connection that has been given up here.
    const again = setInterval(() => {
      connect(port, "127.0.0.1")
        .on("data", (bytes) => {
          got += bytes.toString();
        })
        .on("error", () => {});
    }, 1000);
    const deadline = performance.now() + 60_000;
    while (!got.includes("here-i-am") && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 100));
    clearInterval(again);
    assert.match(got, /here-i-am/);
  } finally {
    guest.kill();
  }
});

test("two machines on a switch, and the one that is left after the first has gone", { timeout: 300_000 }, async () => {
  const name = `test-${process.pid}`;
  const guests: Atoll[] = [];
  try {
    for (const number of [1, 2, 3]) {
      const guest = new Atoll(["run", "--timeout", "240", "--net", `switch:${name}`]);
      guests.push(guest);
      await guest.waitFor(PROMPT, 100);
      await ask(guest, `${NO_DHCP}; ip addr add 10.9.0.${number}/24 dev eth0`);
    }
    const [a, b] = guests as [Atoll, Atoll, Atoll];
    assert.match(await ask(a, "ping -c 3 -W 5 10.9.0.2"), /[23] packets received/);
    assert.match(await ask(b, "ping -c 3 -W 5 10.9.0.3"), /[23] packets received/);
    a.kill();
    await a.finished;
    assert.match(await ask(b, "ping -c 6 -W 5 10.9.0.3"), /[3-6] packets received/);
  } finally {
    for (const guest of guests) guest.kill();
  }
});

test("without a network there is no interface", { timeout: 200_000 }, async () => {
  const guest = new Atoll(["run", "--timeout", "100", "--net", "none"]);
  try {
    await guest.waitFor(PROMPT, 90);
    assert.match(await ask(guest, "ls /sys/class/net/eth0"), /No such file/);
  } finally {
    guest.kill();
  }
});
