// The options of `atoll run`. Names are QEMU's where QEMU has them.

import type { Disk, Load, Net, Publication, SerialPort, Share } from "../contract/definition.ts";
import { CPU_MODELS, DEFAULT_MEMORY, MAX_CPUS, MAX_MEMORY, MIN_MEMORY, WATCHDOG_ACTIONS } from "../contract/limits.ts";
import { TRACE_KINDS } from "../machine/trace/options.ts";
import { serialPort, share, vsock } from "./device-values.ts";
import { display } from "./display-values.ts";
import { net, publication } from "./network-values.ts";
import type { FlagRow, ListRow, OptionRows, Parsed, ValueRow } from "./option.ts";
import {
  board,
  count,
  disk,
  file,
  gdbAddress,
  load,
  type Symbols,
  seconds,
  semihosting,
  size,
  symbols,
  text,
  trace,
  word,
} from "./option-values.ts";

export const RUN_OPTIONS = {
  kernel: value(
    "--kernel <FILE>",
    file,
    "Linux Image (plain, gzip or EFI zboot), ELF, or raw binary; without it, the embedded Linux",
  ),
  initrd: value("--initrd <FILE>", file, "initial RAM disk for the kernel"),
  append: value("--append <TEXT>", text, "kernel command line"),
  dtb: value("--dtb <FILE>", file, "device tree blob to give to the guest in place of the board's own"),
  dumpDtb: value("--dump-dtb <FILE>", file, "write the device tree blob to a file and exit"),
  load: list<Load>("--load <FILE@ADDRESS>", load, "place a raw file in RAM; may be repeated"),
  bios: value("--bios <FILE>", file, "firmware, started at the reset vector"),
  memory: withDefault(
    `${DEFAULT_MEMORY / 2 ** 20}M`,
    "--memory <SIZE>",
    size(MIN_MEMORY, MAX_MEMORY),
    "RAM, in K, M or G",
  ),
  cpus: withDefault("1", "--cpus <N>", count(1, MAX_CPUS[3]), "number of processing elements"),
  cpu: withDefault("max", "--cpu <MODEL>", word(...CPU_MODELS), "processor: cortex-a72 or max"),
  machine: withDefault(
    "virt,gic-version=3",
    "--machine <BOARD>",
    board,
    "board: virt[,gic-version=2|3][,virtualization=on|off][,secure=on|off]",
  ),
  disk: list<Disk>(
    "--disk <FILE[,PROPERTY]>",
    disk,
    "disk image, as a virtio block device; ,format=raw|qcow2|vmdk|vdi|vhdx ,readonly ,snapshot ,serial=TEXT; may be repeated",
  ),
  net: list<Net>(
    "--net <NETWORK>",
    net,
    "user[,dns=ADDRESS[:PORT]][,mac=MAC][,capture=FILE]: through this computer's sockets (default); switch:NAME[,mac=MAC][,capture=FILE]: with other machines; tap:NAME, tap:fd=N or tap:/dev/tapN[,vnet-header=on|off][,mac=MAC][,capture=FILE]: an interface of this computer's kernel; none (default with --bios alone); may be repeated",
  ),
  publish: list<Publication>(
    "--publish <[ADDRESS:]PORT:GUEST-PORT[/udp]>",
    publication,
    "take connections to a port of this computer for one of the guest's; may be repeated",
  ),
  share: list<Share>(
    "--share <FOLDER:TAG[,readonly]>",
    share,
    "share a folder: in the guest, mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt; may be repeated",
  ),
  vsock: value(
    "--vsock <path=PATH[,cid=N]>",
    vsock,
    "connect the guest's vsock to Unix sockets: its port N on the host is PATH_N; CONNECT N at PATH reaches it",
  ),
  serialPort: list<SerialPort>(
    "--serial-port <name=NAME,socket=PATH>",
    serialPort,
    "a virtio serial port: /dev/virtio-ports/NAME in the guest, a Unix socket here; or file=PATH, for output alone",
  ),
  display: value(
    "--display <none|vnc[=ADDRESS]>",
    display,
    "a screen, a keyboard and a tablet, shown to VNC viewers: vnc[=[HOST]:DISPLAY][,password=TEXT|,password-file=FILE]; none: to nobody",
  ),
  boot: flag("--boot", "boot the embedded Linux, in place of starting from the snapshot of the booted one"),
  balloon: flag("--balloon", "a memory balloon, for the monitor's balloon and info balloon"),
  noReboot: flag("--no-reboot", "exit with status 3 when the guest resets, as after a panic"),
  watchdog: value(
    "--watchdog <ACTION>",
    word(...WATCHDOG_ACTIONS),
    "a generic watchdog; when the guest does not refresh it in time: restart resets the machine, fail exits with status 13, pause keeps it as it is",
  ),
  timeout: value("--timeout <SECONDS>", seconds, "exit with status 4 after this time"),
  stats: flag("--stats", "print counters and times at the end, on stderr"),
  profile: value("--profile <FILE>", file, "write a profile of the guest, for speedscope; .cpuprofile: for Chrome"),
  trace: value(
    "--trace <KINDS>",
    trace,
    `write what happens to a file: some of ${TRACE_KINDS.join(",")}; add el0..el3 or cpu<N> for those only`,
  ),
  traceFile: withDefault("atoll.trace", "--trace-file <FILE>", file, "where --trace writes to"),
  symbols: list<Symbols>(
    "--symbols <FILE[@SLIDE]>",
    symbols,
    "functions' names for --profile and --trace; may be repeated",
  ),
  gdb: value(
    "--gdb <[HOST]:PORT>",
    gdbAddress,
    "serve GDB's remote protocol; :1234 is port 1234 of this computer alone",
  ),
  gdbWait: flag("--gdb-wait", "with --gdb: wait for the debugger before the first instruction"),
  semihosting: value(
    "--semihosting [dir=PATH]",
    semihosting,
    "HLT #0xF000 is a semihosting call: console, arguments, exit, and the files in a directory",
  ),
  save: value(
    "--save <FILE>",
    file,
    "save the machine there when it is left (ctrl-a x, quit, a signal, the time limit), and at ctrl-a s",
  ),
  tier: withDefault("auto", "--tier <TIER>", word("auto", "interpreter", "translator"), "execution tier, for tests"),
} satisfies OptionRows;

export type RunOptions = Parsed<typeof RUN_OPTIONS>;

function value<T>(flags: string, parse: (text: string) => T, help: string): ValueRow<T> {
  return { kind: "value", flags, parse, help };
}

function withDefault<T>(initial: string, flags: string, parse: (text: string) => T, help: string) {
  return { kind: "value", flags, parse, help, default: initial } satisfies ValueRow<T>;
}

function list<T>(flags: string, parse: (text: string) => T, help: string): ListRow<T> {
  return { kind: "list", flags, parse, help };
}

function flag(flags: string, help: string): FlagRow {
  return { kind: "flag", flags, help };
}
