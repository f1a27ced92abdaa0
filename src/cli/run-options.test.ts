import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { BadInput } from "../machine/runnable.ts";
import { declareOptions, readOptions } from "./option.ts";
import { RUN_OPTIONS, type RunOptions } from "./run-options.ts";

function parse(...args: string[]): RunOptions {
  const command = new Command();
  declareOptions(command, RUN_OPTIONS);
  command.exitOverride().configureOutput({ outputError: () => {} });
  return readOptions(RUN_OPTIONS, command.parse(args, { from: "user" }).opts());
}

const DEFAULTS: RunOptions = {
  kernel: undefined,
  initrd: undefined,
  append: undefined,
  dtb: undefined,
  boot: false,
  dumpDtb: undefined,
  load: [],
  bios: undefined,
  memory: 512 * 2 ** 20,
  cpus: 1,
  cpu: "max",
  machine: { gicVersion: 3, virtualization: false, secure: false },
  disk: [],
  net: [],
  publish: [],
  share: [],
  vsock: undefined,
  serialPort: [],
  display: undefined,
  balloon: false,
  noReboot: false,
  watchdog: undefined,
  timeout: undefined,
  stats: false,
  profile: undefined,
  gdb: undefined,
  gdbWait: false,
  semihosting: undefined,
  trace: undefined,
  traceFile: "atoll.trace",
  symbols: [],
  tier: "auto",
  save: undefined,
};

const GOOD: readonly (readonly [string, Partial<RunOptions>])[] = [
  ["", {}],
  ["--kernel Image --initrd initrd.img", { kernel: "Image", initrd: "initrd.img" }],
  ["--append --quiet", { append: "--quiet" }],
  ["--append=", { append: "" }],
  ["--dtb a.dtb --dump-dtb b.dtb", { dtb: "a.dtb", dumpDtb: "b.dtb" }],
  ["--memory 1G", { memory: 2 ** 30 }],
  ["--memory 2g", { memory: 2 ** 31 }],
  ["--memory 3G", { memory: 3 * 2 ** 30 }],
  ["--memory 64", { memory: 64 * 2 ** 20 }],
  ["--memory 1028K", { memory: 1028 * 1024 }],
  ["--memory 128M --memory 256M", { memory: 256 * 2 ** 20 }],
  ["--cpus 64", { cpus: 64 }],
  ["--cpu cortex-a72", { cpu: "cortex-a72" }],
  ["--machine virt", { machine: { gicVersion: 3, virtualization: false, secure: false } }],
  [
    "--machine virt,gic-version=2 --cpus 8",
    { machine: { gicVersion: 2, virtualization: false, secure: false }, cpus: 8 },
  ],
  [
    "--machine virt,virtualization=on,gic-version=2",
    { machine: { gicVersion: 2, virtualization: true, secure: false } },
  ],
  ["--machine virt,secure=on,virtualization=off", { machine: { gicVersion: 3, virtualization: false, secure: true } }],
  ["--machine virt,gic-version=3", { machine: { gicVersion: 3, virtualization: false, secure: false } }],
  [
    "--disk a.img --disk b,c.img,readonly --disk d,serial=X-1,snapshot,format=raw",
    {
      disk: [
        { file: "a.img", format: undefined, readOnly: false, snapshot: false, serial: undefined },
        { file: "b,c.img", format: undefined, readOnly: true, snapshot: false, serial: undefined },
        { file: "d", format: "raw", readOnly: false, snapshot: true, serial: "X-1" },
      ],
    },
  ],
  [
    "--load a@0x48000000 --load b@c@1207959552",
    {
      load: [
        { file: "a", address: 0x48000000 },
        { file: "b@c", address: 0x48000000 },
      ],
    },
  ],
  [
    "--share a:b:src --share /x:y,readonly",
    {
      share: [
        { folder: "a:b", tag: "src", readOnly: false },
        { folder: "/x", tag: "y", readOnly: true },
      ],
    },
  ],
  ["--vsock path=/a,b.sock", { vsock: { path: "/a,b.sock", cid: 3 } }],
  ["--vsock path=/a,cid=4294967294", { vsock: { path: "/a", cid: 0xffff_fffe } }],
  [
    "--serial-port name=org.x.0,socket=/a --serial-port name=b,file=c",
    {
      serialPort: [
        { name: "org.x.0", kind: "socket", path: "/a" },
        { name: "b", kind: "file", path: "c" },
      ],
    },
  ],
  ["--balloon", { balloon: true }],
  ["--bios fw.bin", { bios: "fw.bin" }],
  ["--bios fw.bin --kernel k --initrd i --append x", { bios: "fw.bin", kernel: "k", initrd: "i", append: "x" }],
  ["--watchdog pause", { watchdog: "pause" }],
  ["--no-reboot", { noReboot: true }],
  ["--timeout 0.5", { timeout: 0.5 }],
  ["--timeout 90", { timeout: 90 }],
  ["--tier interpreter", { tier: "interpreter" }],
  ["--stats", { stats: true }],
  ["--profile p.json --symbols vmlinux", { profile: "p.json", symbols: [{ file: "vmlinux", slide: undefined }] }],
  [
    "--trace exceptions,el1,gic,cpu0,cpu12 --trace-file t",
    { trace: { kinds: new Set(["exceptions", "gic"]), levels: new Set([1]), cpus: new Set([0, 12]) }, traceFile: "t" },
  ],
  ["--gdb :1234", { gdb: { host: "127.0.0.1", port: 1234 } }],
  ["--gdb tcp::0 --gdb-wait", { gdb: { host: "127.0.0.1", port: 0 }, gdbWait: true }],
  ["--gdb 0.0.0.0:65535", { gdb: { host: "0.0.0.0", port: 65535 } }],
  ["--gdb [::1]:1234", { gdb: { host: "::1", port: 1234 } }],
  ["--semihosting", { semihosting: { directory: undefined } }],
  ["--semihosting dir=a,b=c", { semihosting: { directory: "a,b=c" } }],
  ["--semihosting --kernel k", { semihosting: { directory: undefined }, kernel: "k" }],
  [
    "--symbols a@b@0x1000 --symbols c@16",
    {
      symbols: [
        { file: "a@b", slide: 0x1000n },
        { file: "c", slide: 16n },
      ],
    },
  ],
];

for (const [line, expected] of GOOD) {
  test(`good: ${line || "(nothing)"}`, () => {
    assert.deepEqual(parse(...line.split(" ").filter((a) => a !== "")), { ...DEFAULTS, ...expected });
  });
}

const SIZE = "give a number and K, M or G, such as 512M";
const ADDRESS = "give FILE@ADDRESS, such as blob.bin@0x48000000";
const GIC = "give gic-version=2 or gic-version=3";
const PROPERTIES = "the properties are gic-version, virtualization, secure";
const SECONDS = "give a number of seconds above 0";

const BAD: readonly (readonly [readonly string[], string])[] = [
  [["--kernel", ""], '--kernel "": give the name of a file'],
  [["--share", "folder"], "--share folder: give FOLDER:TAG, such as ./src:src,readonly"],
  [["--share", "folder:"], "--share folder:: give FOLDER:TAG, such as ./src:src,readonly"],
  [["--vsock", "/a"], "--vsock /a: give path=PATH[,cid=N], such as path=/tmp/guest.sock,cid=3"],
  [["--vsock", "path=/a,cid=2"], "--vsock path=/a,cid=2: give a cid from 3 to 4294967294"],
  [["--disk", "a,serial="], "--disk a,serial=: give a serial of at most 20 letters, digits and signs"],
  [["--initrd="], '--initrd "": give the name of a file'],
  [["--memory", "lots"], `--memory lots: ${SIZE}`],
  [["--memory", "-1"], `--memory -1: ${SIZE}`],
  [["--memory", "1.5G"], `--memory 1.5G: ${SIZE}`],
  [["--memory", "1T"], `--memory 1T: ${SIZE}`],
  [["--memory", ""], `--memory "": ${SIZE}`],
  [["--memory", "0"], "--memory 0: give 1M to 3072M"],
  [["--memory", "4G"], "--memory 4G: give 1M to 3072M"],
  [["--memory", "1025K"], "--memory 1025K: give a multiple of 4K"],
  [["--cpus", "0"], "--cpus 0: give a number from 1 to 64"],
  [["--cpus", "65"], "--cpus 65: give a number from 1 to 64"],
  [["--cpus", "two"], "--cpus two: give a number from 1 to 64"],
  [["--cpus", "1e1"], "--cpus 1e1: give a number from 1 to 64"],
  [["--cpu", "cortex-a53"], "--cpu cortex-a53: give cortex-a72 or max"],
  [["--machine", "raspi3"], "--machine raspi3: give virt, the one board there is, as in virt,gic-version=3"],
  [["--machine", "virt,gic-version=4"], `--machine virt,gic-version=4: ${GIC}`],
  [["--machine", "virt,secure=1"], "--machine virt,secure=1: give secure=on or secure=off"],
  [["--machine", "virt,secure=on,secure=on"], "--machine virt,secure=on,secure=on: secure is there twice"],
  [["--machine", "virt,highmem=on"], `--machine virt,highmem=on: ${PROPERTIES}`],
  [["--machine", "virt,"], `--machine virt,: ${PROPERTIES}`],
  [["--gdb", "1234"], "--gdb 1234: give [HOST]:PORT, such as :1234"],
  [["--gdb", ":65536"], "--gdb :65536: give [HOST]:PORT, such as :1234"],
  [["--gdb", "::1:1234"], "--gdb ::1:1234: give [HOST]:PORT, such as :1234"],
  [["--semihosting", "x"], "--semihosting x: give nothing, or dir=PATH"],
  [["--semihosting", "dir="], "--semihosting dir=: give nothing, or dir=PATH"],
  [["--disk", ""], '--disk "": give the name of a file'],
  [["--disk", ",readonly"], "--disk ,readonly: give the name of a file"],
  [["--load", "blob.bin"], `--load blob.bin: ${ADDRESS}`],
  [["--load", "blob.bin@"], `--load blob.bin@: ${ADDRESS}`],
  [["--load", "@0x48000000"], `--load @0x48000000: ${ADDRESS}`],
  [["--load", "blob.bin@48g"], `--load blob.bin@48g: ${ADDRESS}`],
  [["--load", "blob.bin@-1"], `--load blob.bin@-1: ${ADDRESS}`],
  [["--load", "blob.bin@0xffffffffffffffff"], `--load blob.bin@0xffffffffffffffff: ${ADDRESS}`],
  [
    ["--trace", "mmio,el4"],
    "--trace mmio,el4: give some of exceptions,traps,tlb,gic,sysreg,mmio, with el0 to el3 or cpu0 to cpu<N> to narrow them",
  ],
  [["--trace", "el1"], "--trace el1: say what to trace: some of exceptions,traps,tlb,gic,sysreg,mmio"],
  [
    ["--trace", ""],
    '--trace "": give some of exceptions,traps,tlb,gic,sysreg,mmio, with el0 to el3 or cpu0 to cpu<N> to narrow them',
  ],
  [["--timeout", "0"], `--timeout 0: ${SECONDS}`],
  [["--timeout", "-5"], `--timeout -5: ${SECONDS}`],
  [["--timeout", "5m"], `--timeout 5m: ${SECONDS}`],
  [["--timeout", "Infinity"], `--timeout Infinity: ${SECONDS}`],
  [["--tier", "jit"], "--tier jit: give auto or interpreter or translator"],
];

for (const [args, line] of BAD) {
  test(`bad: ${args.join(" ")}`, () => {
    assert.throws(
      () => parse(...args),
      (e) => {
        assert.ok(e instanceof BadInput);
        assert.equal(e.message, line);
        return true;
      },
    );
  });
}
