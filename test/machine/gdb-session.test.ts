// The GDB remote serial protocol against whole machines, with a scripted client.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { latin1 } from "../../src/base/text.ts";
import type { Debugger } from "../../src/machine/gdb/debugger.ts";
import { asciiBytes, encodePacket, fromHex, toHex } from "../../src/machine/gdb/packets.ts";
import { GdbSession } from "../../src/machine/gdb/session.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { wholeMachine } from "../support/whole-machine.ts";

const START = 0x40080000;

/** A client without acknowledgements: sends a packet, lets the machine run, and gives what came back. */
async function client(code: readonly number[], changes: Partial<MachineParts> = {}) {
  const { machine, printed } = await wholeMachine(code, { debug: "wait", ...changes });
  let sent = "";
  const monitored: string[] = [];
  let killed = 0;
  let room = Number.POSITIVE_INFINITY;
  const session = new GdbSession(machine.debugger as Debugger, {
    write: (bytes) => {
      sent += latin1(bytes);
      room -= bytes.length;
      return room > 0;
    },
    resumed: () => {},
    monitor: (line) => {
      monitored.push(line);
      return "text\n";
    },
    kill: () => {
      killed++;
    },
  });
  const take = (): string => {
    const text = sent;
    sent = "";
    return text;
  };
  /** The bodies of the packets in a text, runs expanded. */
  const bodies = (text: string): string[] =>
    [...text.matchAll(/\$([^#]*)#[0-9a-f]{2}/gs)].map(([, body = ""]) =>
      body
        .replace(/(.)\*(.)/gs, (_, c: string, n: string) => c.repeat(n.charCodeAt(0) - 28))
        .replace(/\}(.)/gs, (_, c: string) => String.fromCharCode(c.charCodeAt(0) ^ 0x20)),
    );
  const say = (text: string): void => session.receive(asciiBytes(text));
  const send = (body: string): void => session.receive(encodePacketPlain(body));
  const ask = (body: string): string => {
    send(body);
    for (let i = 0; i < 200 && !sent.includes("$") && !machine.debugger?.stopped; i++) machine.run(1);
    return bodies(take()).join("|");
  };
  say("$QStartNoAckMode#b0");
  assert.equal(take(), "+$OK#9a");
  return {
    ...{ machine, printed, session, ask, say, send, take, bodies, monitored },
    killed: () => killed,
    limit: (bytes: number) => {
      room = bytes;
    },
    pc: (): string => littleEndian(ask("p20")),
  };
}

/** A client's packets have no runs. */
function encodePacketPlain(body: string): Uint8Array {
  const bytes = asciiBytes(body);
  const sum = bytes.reduce((a, b) => (a + b) & 0xff, 0);
  return asciiBytes(`$${body}#${sum.toString(16).padStart(2, "0")}`);
}

/** A register's digits as a number. */
function littleEndian(digits: string): string {
  return `0x${toHex((fromHex(digits) as Uint8Array).reverse()).replace(/^0+(?=.)/, "")}`;
}

const NOP = 0xd503201f;
const LOOP = 0x14000000;
const HVC = 0xd4000002;
const WFI = 0xd503207f;
// add x0, x0, #1
const INCREMENT = 0x91000400;
// b .-4
const BACK = 0x17ffffff;

test("acknowledgements: + for what is right, - for what is not, the last reply again for -", async () => {
  const { machine } = await wholeMachine([LOOP], { debug: "wait" });
  let sent = "";
  const session = new GdbSession(machine.debugger as Debugger, {
    write: (bytes) => {
      sent += latin1(bytes);
      return true;
    },
    ...{ resumed: () => {}, monitor: () => "", kill: () => {} },
  });
  session.receive(asciiBytes("$qC#b4"));
  assert.equal(sent, "+$QC1#c5");
  session.receive(asciiBytes("-"));
  assert.equal(sent, "+$QC1#c5$QC1#c5");
  sent = "";
  session.receive(asciiBytes("$qC#b5"));
  assert.equal(sent, "-");
});

test("what the stub can do", async () => {
  const { ask } = await client([LOOP]);
  assert.match(
    ask("qSupported:multiprocess+;swbreak+"),
    /^PacketSize=[0-9a-f]+;QStartNoAckMode\+;qXfer:features:read\+/,
  );
  assert.equal(ask("vCont?"), "vCont;c;C;s;S;r");
  assert.equal(ask("vMustReplyEmpty"), "");
  assert.equal(ask("qAttached"), "1");
  assert.equal(ask("qqemu.sstepbits"), "ENABLE=1,NOIRQ=2,NOTIMER=4");
  assert.equal(ask("qqemu.sstep"), "0x7");
  assert.equal(ask("Qqemu.sstep=0x5"), "OK");
  assert.equal(ask("qqemu.sstep"), "0x5");
  assert.match(ask("Qqemu.sstep=9"), /^E/);
  assert.equal(ask("unknown"), "");
});

test("the target description is XML in parts, with the system registers of the machine by name", async () => {
  const { ask } = await client([LOOP]);
  let xml = "";
  for (let more = true; more; ) {
    const part = ask(`qXfer:features:read:target.xml:${xml.length.toString(16)},ff0`);
    more = part[0] === "m";
    assert.ok(more || part[0] === "l");
    xml += part.slice(1);
  }
  assert.match(xml, /<architecture>aarch64<\/architecture>/);
  for (const name of ["x0", "sp", "cpsr", "v31", "fpcr", "SCTLR_EL1", "ICC_PMR_EL1", "CNTV_CVAL_EL0", "DBGBCR0_EL1"]) {
    assert.match(xml, new RegExp(`<reg name="${name}" `));
  }
  for (const name of ["ICC_IAR1_EL1", "RNDR", "HCR_EL2", "OSLAR_EL1"])
    assert.doesNotMatch(xml, new RegExp(`"${name}"`));
  assert.equal(ask("qXfer:features:read:other.xml:0,100"), "E00");
  assert.equal(ask("qXfer:features:read:target.xml:ffffff,100"), "l");
});

test("registers by number, and all at once", async () => {
  const { ask, pc } = await client([LOOP]);
  assert.equal(pc(), "0x40080000");
  assert.equal(ask("P3=8877665544332211"), "OK");
  assert.equal(ask("p3"), "8877665544332211");
  assert.equal(ask(`P22=${"0123456789abcdef".repeat(2)}`), "OK", "v0");
  const all = ask("g");
  assert.equal(all.length, 2 * (33 * 8 + 4 + 32 * 16 + 8));
  assert.equal(all.slice(48, 64), "8877665544332211");
  assert.equal(ask(`G${all.replace("8877665544332211", "0100000000000000")}`), "OK");
  assert.equal(ask("p3"), "0100000000000000");
  assert.equal(ask("p21"), "c5030000", "EL1h, DAIF masked");
  assert.equal(ask("P21=c4030060"), "OK", "to EL1t, with Z and C");
  assert.equal(ask("p21"), "c4030060");
  assert.equal(ask("P21=cb030000"), "OK", "a mode that there is not");
  assert.equal(ask("p21"), "c4030000");
  for (const bad of ["pffff", "P3=00", "P3=zz", "Pffff=00", "G00", "p", "p-1"]) assert.match(ask(bad), /^E/, bad);
});

test("memory: read, written, executed anew", async () => {
  const { ask, pc } = await client([NOP, LOOP]);
  assert.equal(ask("m40080000,4"), "1f2003d5");
  assert.equal(ask("M40080000,4:00040091"), "OK");
  assert.equal(ask("m40080000,4"), "00040091");
  assert.equal(ask("X41000000,3:a}]b"), "OK", "0x7d is escaped");
  assert.equal(ask("m41000000,3"), "617d62");
  const before = ask("p0");
  ask("vCont;s:1");
  assert.equal(pc(), "0x40080004");
  assert.notEqual(ask("p0"), before, "the new instruction was executed");
  assert.match(ask("m43fffff0,40"), /^.{32}$/, "up to the end of RAM");
  assert.match(ask("m10000000000,4"), /^E/);
  assert.match(ask("m9000000,4"), /^E/, "device registers are not read");
  assert.equal(ask(`qRcmd,${toHex(asciiBytes("device-access on"))}`), "OK");
  assert.equal(ask("m9000018,4"), "97000000", "UARTFR");
  for (const bad of ["m", "m0", "m0,", "mx,4", "M40080000,4:00", "M40080000,1:zz", "X40080000,5:a"]) {
    assert.match(ask(bad), /^E/, bad);
  }
});

test("memory by physical address", async () => {
  const { ask } = await client([LOOP]);
  assert.equal(ask("qqemu.PhyMemMode"), "0");
  assert.equal(ask("Qqemu.PhyMemMode:1"), "OK");
  assert.equal(ask("qqemu.PhyMemMode"), "1");
  assert.equal(ask("m40080000,4"), "00000014");
});

test("a step is one instruction; one that faults ends at the vector", async () => {
  // svc #0 with VBAR_EL1 = 0x40090000
  const { ask, pc } = await client([NOP, 0xd4000001, LOOP]);
  assert.equal(ask("vCont;s:1").slice(0, 12), "T05thread:1;");
  assert.equal(pc(), "0x40080004");
  const vbar = systemRegister(await descriptionOf(ask), "VBAR_EL1");
  assert.equal(ask(`P${vbar}=0000094000000000`), "OK");
  ask("vCont;s:1");
  assert.equal(pc(), "0x40090200");
  const esr = systemRegister(await descriptionOf(ask), "ESR_EL1");
  assert.equal(littleEndian(ask(`p${esr}`)), "0x56000000");
});

async function descriptionOf(ask: (body: string) => string): Promise<string> {
  let xml = "";
  for (let more = true; more; ) {
    const part = ask(`qXfer:features:read:target.xml:${xml.length.toString(16)},ff0`);
    more = part[0] === "m";
    xml += part.slice(1);
  }
  return xml;
}

/** The number of a register, in hexadecimal. */
function systemRegister(xml: string, name: string): string {
  const names = [...xml.matchAll(/<reg name="([^"]+)"/g)].map(([, n]) => n);
  return names.indexOf(name).toString(16);
}

for (const tier of ["interpreter", "translator", "auto"] as const) {
  test(`breakpoints stop hot code before the instruction, ${tier}`, async () => {
    const { ask, pc, machine } = await client([INCREMENT, NOP, 0x17fffffe], { tier });
    ask("P0=0000000000000000");
    // Hot first.
    machine.debugger?.resume();
    for (let i = 0; i < 20; i++) machine.run(1);
    machine.debugger?.hold();
    assert.notEqual(ask("p0"), "0000000000000000");
    ask("P0=0000000000000000");
    ask("P20=0000084000000000");
    assert.equal(ask("Z0,40080004,4"), "OK");
    assert.match(ask("vCont;c"), /^T05thread:1;/);
    assert.equal(pc(), "0x40080004");
    assert.equal(ask("p0"), "0100000000000000");
    assert.match(ask("vCont;c"), /^T05/, "the client steps over it, not the stub");
    assert.equal(ask("p0"), "0100000000000000");
    ask("vCont;s:1");
    ask("vCont;c");
    assert.equal(ask("p0"), "0200000000000000");
    assert.equal(ask("z0,40080004,4"), "OK");
  });

  test(`watchpoints stop before the access, ${tier}`, async () => {
    // x1 = 0x41000000: str x0, [x1]; ldr x2, [x1]; add x0, x0, #1; b .-12
    const { ask, pc } = await client([0xd2a82001, 0xf9000020, 0xf9400022, INCREMENT, 0x17fffffd], { tier });
    ask("P0=0000000000000000");
    ask("vCont;s:1");
    assert.equal(ask("Z2,41000004,2"), "OK");
    assert.match(ask("vCont;c"), /^T05thread:1;watch:41000004;/);
    assert.equal(pc(), "0x40080004");
    ask("z2,41000004,2");
    assert.equal(ask("Z3,41000000,1"), "OK");
    assert.match(ask("vCont;c"), /^T05thread:1;rwatch:41000000;/);
    assert.equal(pc(), "0x40080008");
    assert.equal(ask("m41000000,1"), "00");
    ask("z3,41000000,1");
    assert.equal(ask("Z4,41000000,8"), "OK");
    ask("P20=0c00084000000000");
    assert.match(ask("vCont;c"), /awatch:41000000;/);
    assert.equal(pc(), "0x40080004");
    assert.equal(ask("Z2,41000010,8"), "OK", "beside what is accessed");
    ask("z4,41000000,8");
    assert.equal(ask("p2"), "0000000000000000", "what was watched has not happened");
  });
}

test("watchpoints and breakpoints have an end", async () => {
  const { ask } = await client([LOOP]);
  for (let i = 0; i < 16; i++) assert.equal(ask(`Z2,${(0x41000000 + 8 * i).toString(16)},8`), "OK");
  assert.match(ask("Z2,42000000,8"), /^E/);
  assert.equal(ask("Z2,41000000,8"), "OK", "it is there");
  for (const bad of ["Z0,", "Z0,zz,4", "Z2,0,0", "Z0,11112222333344445,4"]) assert.match(ask(bad), /^E/, bad);
  assert.equal(ask("Z7,0,4"), "", "no such kind");
});

test("a range step leaves the range, or stops at a breakpoint in it", async () => {
  const { ask, pc } = await client([NOP, NOP, NOP, NOP, LOOP]);
  assert.match(ask("vCont;r40080000,4008000c:1"), /^T05/);
  assert.equal(pc(), "0x4008000c");
  ask("P20=0000084000000000");
  ask("Z0,40080004,4");
  assert.match(ask("vCont;r40080000,4008000c:1"), /^T05/);
  assert.equal(pc(), "0x40080004");
});

test("an interrupt stops the machine, and one that sleeps", async () => {
  const { ask, say, send, take, bodies, machine } = await client([WFI, BACK]);
  send("vCont;c");
  for (let i = 0; i < 5; i++) machine.run(1);
  assert.equal(take(), "");
  say("\x03");
  assert.match(bodies(take())[0] as string, /^T02thread:1;/);
  assert.equal(machine.debugger?.stopped, true);
  assert.match(ask("vCont;s:1"), /^T05/, "a step wakes it");
});

test("CPUs are threads: each has its registers, goes on alone, and all stop together", async () => {
  const { ask, pc } = await client([INCREMENT, BACK], { cpus: 3 });
  assert.equal(ask("qfThreadInfo"), "m1,2,3");
  assert.equal(ask("qsThreadInfo"), "l");
  assert.equal(ask("T2"), "OK");
  assert.match(ask("T4"), /^E/);
  assert.match(ask("T0"), /^E/);
  assert.equal(latin1(fromHex(ask("qThreadExtraInfo,1")) as Uint8Array), "CPU 0 [EL1h, running]");
  assert.equal(latin1(fromHex(ask("qThreadExtraInfo,2")) as Uint8Array), "CPU 1 [off]");
  assert.equal(ask("Hg2"), "OK");
  assert.equal(ask("P0=7700000000000000"), "OK");
  assert.equal(ask("Hg1"), "OK");
  assert.notEqual(ask("p0"), "7700000000000000");
  assert.equal(pc(), "0x40080000");
  assert.match(ask("Hg9"), /^E/);
  assert.match(ask("vCont;s:9"), /^E/);
  assert.match(ask("vCont;x"), /^E/);
  assert.match(ask("vCont;s:1;c"), /^T05thread:1;/);
  assert.equal(pc(), "0x40080004");
});

test("c, s, C and S", async () => {
  const { ask, pc } = await client([NOP, NOP, LOOP]);
  assert.match(ask("s"), /^T05/);
  assert.equal(pc(), "0x40080004");
  assert.match(ask("s40080000"), /^T05/);
  assert.equal(pc(), "0x40080004");
  assert.match(ask("S05"), /^T05/);
  assert.equal(pc(), "0x40080008");
  ask("Z1,40080008,4");
  assert.match(ask("c40080000"), /^T05/);
  assert.equal(pc(), "0x40080008");
  assert.match(ask("szz"), /^E/);
});

test("monitor commands, kill, detach", async () => {
  const { ask, monitored, machine, killed, send } = await client([LOOP]);
  assert.equal(ask(`qRcmd,${toHex(asciiBytes("info mtree"))}`), `O${toHex(asciiBytes("text\n"))}|OK`);
  assert.deepEqual(monitored, ["info mtree"]);
  assert.match(ask("qRcmd,0"), /^E/);
  ask("Z0,40080000,4");
  assert.equal(ask("D"), "OK");
  assert.equal(machine.debugger?.stopped, false);
  machine.run(1);
  assert.equal(machine.debugger?.stopped, false, "without breakpoints");
  send("k");
  assert.equal(killed(), 1);
});

test("a connection that is lost: what ran goes on without breakpoints, what was stopped stays so", async () => {
  const stopped = await client([LOOP]);
  stopped.session.closed();
  assert.equal(stopped.machine.debugger?.stopped, true);
  const running = await client([NOP, BACK]);
  running.ask("Z0,40080010,4");
  running.send("vCont;c");
  running.session.closed();
  assert.equal(running.machine.debugger?.stopped, false);
  running.machine.run(1);
  assert.equal(running.machine.debugger?.stopped, false);
});

test("a guest that ends: its client is told", async () => {
  const { session, take, bodies } = await client([0x52800100, 0x72b08000, HVC]);
  session.exited(3);
  assert.deepEqual(bodies(take()), ["W03"]);
});

test("a reset keeps breakpoints", async () => {
  const { ask, pc, machine } = await client([NOP, NOP, LOOP]);
  ask("Z0,40080004,4");
  machine.reset();
  assert.match(ask("vCont;c"), /^T05/);
  assert.equal(pc(), "0x40080004");
});

test("a client that does not read gets no more than what it has asked for so far", async () => {
  const { say, take, limit, session } = await client([LOOP]);
  limit(10);
  say("$g#67".repeat(1000));
  const first = take().length;
  assert.ok(first < 3000);
  limit(Number.POSITIVE_INFINITY);
  session.drained();
  assert.ok(take().length > 500 * first);
});

test("a guest does not see that it is stepped: debug registers, its own step and breakpoint state stay", async () => {
  const { ask } = await client([NOP, NOP, NOP, LOOP]);
  const xml = await descriptionOf(ask);
  const names = ["MDSCR_EL1", "DBGBCR0_EL1", "DBGBVR0_EL1", "DBGWCR0_EL1", "DBGWVR0_EL1", "PAR_EL1"];
  const values = (): string[] => names.map((name) => ask(`p${systemRegister(xml, name)}`));
  const before = values();
  ask("Z0,40080008,4");
  ask("Z2,41000000,4");
  ask("vCont;s:1");
  ask("vCont;c");
  ask("m40080000,40");
  assert.deepEqual(values(), before);
});

test("no packet of any bytes breaks the stub or the machine", async () => {
  const { session, take, ask, machine } = await client([INCREMENT, BACK], { cpus: 2 });
  const letters = [
    ..."?gGpPmMXZzHTcsCSDvqQ",
    "vCont;",
    "qXfer:features:read:target.xml:",
    "qRcmd,",
    "Z0,4008",
    "m4008",
  ];
  const body = fc.tuple(fc.constantFrom(...letters), fc.string({ unit: "binary-ascii", maxLength: 40 }));
  const binary = fc.tuple(fc.constantFrom(...letters), fc.uint8Array({ maxLength: 40 }).map(latin1));
  fc.assert(
    fc.property(fc.oneof(body, binary), ([first, rest]) => {
      session.receive(encodePacketPlain((first + rest).replaceAll(/[$#}*]/g, "0")));
      machine.run(0.01);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      session.receive(bytes);
      machine.run(0.01);
    }),
    { numRuns: 200 },
  );
  session.receive(asciiBytes("#00\x03"));
  take();
  ask("vMustReplyEmpty");
  assert.match(ask("?"), /^T0[25]/);
});

test("encoding a client's own packets", () => {
  assert.equal(latin1(encodePacket(asciiBytes("OK"))), "$OK#9a");
  assert.equal(START, 0x40080000);
});
