// --net tap with an interface of the kernel's, in a network namespace of the test's own. Making one takes root, or CAP_NET_ADMIN.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cLibrary } from "../../src/hosts/node/c-library.ts";
import { atoll, GuestProcess, ROOT } from "../support/atoll.ts";
import { NO_DHCP } from "../support/in-guest.ts";

const BYTES = 0x40000;
/** IFF_TAP, IFF_NO_PI; IFF_VNET_HDR. */
const PLAIN = 0x1002;
const VNET = 0x5002;

/** Opens tap0 as docs/network.md has it, and executes what follows with it as file descriptor 3. */
const OPENER = `$^F = 9; open T, "+<", "/dev/net/tun" or die "tun: $!"; my $flags = hex shift;
ioctl T, 0x400454ca, pack("a16 s x22", "tap0", $flags) or die "TUNSETIFF: $!";
ioctl T, 0x400454d0, 7 if $flags & 0x4000; exec @ARGV or die`;

/** Gives BYTES bytes, and says how many it was given. */
const SERVER = `require("node:http").createServer((request, response) => {
  let bytes = 0;
  if (request.method === "GET") response.end(Buffer.alloc(${BYTES}, 65));
  else request.on("data", (data) => { bytes += data.length; }).on("end", () => response.end("took " + bytes + "\\n"));
}).listen(80)`;

const unshare = spawnSync("unshare", ["-n", "perl", "-e", OPENER, PLAIN.toString(16), "true"], { encoding: "utf8" });
const skip =
  unshare.status !== 0 && `no TAP device here: ${unshare.error?.message ?? (unshare.stderr.trim() || "not permitted")}`;

const passed = (flags: number): readonly string[] => ["perl", "-e", OPENER, flags.toString(16)];
const tap0 = "ip addr add 10.9.0.1/24 dev tap0; ip link set tap0 up; net=fd=3";
/** One end of a virtual cable has the macvtap interface, the other is the host's. */
const macvtap = `mount -t sysfs none /sys; ip link add cable type veth peer name host && ip link add link cable name guest type macvtap mode bridge &&
ip addr add 10.9.0.1/24 dev host && ip link set host up && ip link set cable up && ip link set guest up || exit 9
net=/dev/tap$(cat /sys/class/net/guest/ifindex)`;

const byName = "ip tuntap add dev tap0 mode tap; ip addr add 10.9.0.1/24 dev tap0; ip link set tap0 up; net=tap0";

for (const [what, command, script, option] of [
  ["that is passed, with a header for offloads", passed(VNET), tap0, ",vnet-header=on"],
  ["that is passed, without a header", passed(PLAIN), tap0, ""],
  ["of a macvtap interface", [], macvtap, ""],
  ["by its name, with a header for offloads", [], byName, ""],
  ["by its name, without a header", [], byName, ",vnet-header=off"],
] as const) {
  const without = script === byName && cLibrary() === undefined && "this Node has no node:ffi";
  test(`a guest and its host's kernel on a TAP device ${what}`, {
    skip: skip || without,
    timeout: 400_000,
  }, async (t) => {
    const serve = `"$1" -e '${SERVER}' 3<&- >/dev/null 2>&1 &`;
    const inside = `${script}; ${serve} exec "$1" "$2" run --net tap:$net${option}`;
    const shell = ["sh", "-c", inside, "sh", process.execPath, join(ROOT, "src", "cli", "main.ts")];
    const guest = new GuestProcess("setsid", ["unshare", "-n", "-m", ...command, ...shell]);
    let count = 100;
    const ask = async (line: string): Promise<string> => {
      const end = `<${++count}>`;
      const from = guest.stdout.length;
      guest.type(`${line}; echo "<$((${count - 1}+1))>"\n`);
      await guest.waitFor(end, 120);
      return guest.stdout.slice(from);
    };
    try {
      const ended = await Promise.race([guest.finished, guest.waitFor("atoll:~# ", 100)]);
      if (typeof ended === "object" && ended.status === 9) {
        t.skip(`no macvtap here: ${ended.stderr.trim()}`);
        return;
      }
      await ask(`${NO_DHCP}; ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up`);
      assert.match(await ask("ping -c 2 -W 20 10.9.0.1"), / 0% packet loss/);
      assert.match(await ask("wget -q -O - http://10.9.0.1/ | tr -d A | wc -c"), /^0\r?$/m);
      assert.match(await ask("wget -q -O - http://10.9.0.1/ | wc -c"), new RegExp(`^${BYTES}\\r?$`, "m"));
      await ask(`dd if=/dev/zero bs=64k count=${BYTES / 0x10000} | tr '\\0' A >/tmp/data`);
      assert.match(
        await ask("wget -q -O - --post-file /tmp/data http://10.9.0.1/"),
        new RegExp(`^took ${BYTES}\\r?$`, "m"),
      );
      assert.doesNotMatch(guest.stderr, /atoll:/);
      guest.type("poweroff\n");
      assert.equal((await guest.finished).status, 0, guest.stderr);
    } finally {
      try {
        process.kill(-(guest.child.pid as number), "SIGKILL");
      } catch {}
    }
  });
}

test("what is no TAP device is said to be none", { timeout: 200_000 }, async () => {
  for (const [value, reason] of [
    ["tap:fd=99", /tap:fd=99: this process was given no such file descriptor/],
    ["tap:fd=2", /tap:fd=2: that is no TAP device/],
    ["tap:/dev/null", /tap:\/dev\/null: give an interface's name, fd=N, or a macvtap interface's/],
    ...(existsSync("/sys/class/net/lo") && existsSync("/dev/net/tun") && cLibrary() !== undefined
      ? ([
          ["tap:lo", /tap:lo: (the kernel refuses it: it is in use, another user's, or no TAP|\/dev\/net\/tun: )/],
        ] as const)
      : []),
    ["tap:/dev/tap4000000", /tap:\/dev\/tap4000000: no such file/],
  ] as const) {
    const { status, stderr } = await atoll("run", "--net", value);
    assert.match(stderr, reason);
    assert.equal(status, 2, stderr);
    assert.equal(stderr.trim().split("\n").length, 1);
  }
});
