// The device tree of the board: what QEMU's `virt` machine gives its guests, for the devices that this board has. Bindings are those of
// the Linux kernel's Documentation/devicetree/bindings.

import { cells, cells64, EMPTY, type Fdt, type FdtNode, fdtFind, fdtNode, strings } from "./fdt.ts";
import { PSCI } from "./firmware/function-ids.ts";
import {
  MAP,
  PCLK_HZ,
  POWER_KEY_PIN,
  PPI,
  SECURE_GPIO_PIN,
  SPI,
  VIRTIO_SLOTS,
  VIRTIO_STRIDE,
  type Window,
} from "./memory-map.ts";

/** Random: 32 bytes and 8 bytes. */
export interface Seeds {
  readonly rngSeed: Uint8Array;
  readonly kaslrSeed: Uint8Array;
}

/** What a boot loader tells the kernel, in /chosen. */
export interface Chosen extends Seeds {
  /** Kernel command line; "" leaves what the tree has. */
  readonly bootargs: string;
  /** Physical addresses, the second one past the end. */
  readonly initrd?: { readonly start: number; readonly end: number };
  /** For Secure world, which does not share them. */
  readonly secure: Seeds;
}

export interface BoardDescription {
  readonly memory: number;
  readonly cpus: number;
  /** Of the cpu nodes, such as "arm,cortex-a72". */
  readonly cpuCompatible: string;
  readonly gicVersion: 2 | 3;
  /** MPIDR_EL1's affinity fields of each PE, Aff3 left out (at most 24 bits). */
  readonly mpidr: (cpu: number) => number;
  /** How the machine's firmware is called; undefined: it is the guest's own, and nobody answers. */
  readonly conduit: "hvc" | "smc" | undefined;
  /** The guest may own EL2. */
  readonly virtualization: boolean;
  /** There is an EL2 virtual timer (FEAT_VHE). */
  readonly hypervisorVirtualTimer: boolean;
  /** There are Secure state and what only it may use. */
  readonly secure: boolean;
  /** Absent: the PEs have performance monitors. */
  readonly pmu?: boolean;
  /** There is a generic watchdog. */
  readonly watchdog?: boolean;
  /** Of a domain of the hypervisor: there are its calls, and a page that says which copy of the guest it is. */
  readonly domain?: boolean;
  /** Of a domain: what it shares with others. */
  readonly channels?: readonly ChannelDescription[];
}

/** A domain's end of a channel (docs/hypercalls.md). */
export interface ChannelDescription {
  readonly name: string;
  /** Its number in the hypervisor's calls. */
  readonly index: number;
  /** The domain's own number in it. */
  readonly member: number;
  /** Names of all members, by their numbers. */
  readonly members: readonly string[];
  readonly readOnly: boolean;
  readonly memory: { readonly base: number; readonly size: number };
  readonly doorbell: { readonly base: number; readonly size: number };
  readonly spi: number;
}

/** Second cell of an interrupt specifier is the number less 32 (SPI) or 16 (PPI); the third is the trigger (arm,gic.yaml). */
const GIC_SPI = 0;
const GIC_PPI = 1;
const EDGE_RISING = 1;
const LEVEL_HIGH = 4;
/** linux/input-event-codes.h */
const KEY_POWER = 116;

const PHANDLE = { gic: 1, pclk: 2, gpio: 3, secureGpio: 4, cpu0: 0x100 } as const;

const hex = (n: number): string => n.toString(16);
const reg = (...windows: { base: number; size: number }[]): Uint8Array =>
  cells64(...windows.flatMap(({ base, size }) => [base, size]));
const spi = (number: number, trigger: number): Uint8Array => cells(GIC_SPI, number, trigger);

/** The board's tree, without /chosen's boot parameters: see `applyChosen`. */
export function boardTree(board: BoardDescription): Fdt {
  const root = fdtNode(
    "",
    {
      "interrupt-parent": cells(PHANDLE.gic),
      model: strings("linux,dummy-virt"),
      "#size-cells": cells(2),
      "#address-cells": cells(2),
      compatible: strings("linux,dummy-virt"),
    },
    [
      ...(board.conduit === undefined ? [] : [psciNode(board.conduit)]),
      fdtNode(`memory@${hex(MAP.ram.base)}`, {
        device_type: strings("memory"),
        reg: reg({ base: MAP.ram.base, size: board.memory }),
      }),
      cpusNode(board),
      timerNode(board),
      clockNode(),
      interruptController(board),
      ...(board.pmu === false ? [] : [pmuNode(board)]),
      ...(board.secure ? [flash("flash", MAP.flash1)] : [flash("flash", MAP.flash0, MAP.flash1)]),
      uart(MAP.uart, SPI.uart),
      rtcNode(),
      gpio(MAP.gpio, SPI.gpio, PHANDLE.gpio),
      powerKeyNode(),
      fwCfgNode(),
      ...Array.from({ length: VIRTIO_SLOTS }, (_, slot) => virtioNode(slot)),
      ...(board.domain ? domainNodes() : []),
      ...(board.watchdog ? [watchdogNode()] : []),
      ...(board.channels ?? []).map(channelNode),
      ...(board.secure ? secureNodes() : []),
      fdtNode("chosen", { "stdout-path": strings(`/pl011@${hex(MAP.uart.base)}`) }),
    ],
  );
  return { root, reservations: [], bootCpu: board.mpidr(0) };
}

/** Interrupt specifiers of PPIs. A GICv2 binding has the CPUs that a PPI is for in bits 15:8; GICv3's has not. */
function ppis({ gicVersion, cpus }: BoardDescription, ...intids: number[]): Uint8Array {
  const flags = gicVersion === 2 ? (((1 << cpus) - 1) << 8) | LEVEL_HIGH : LEVEL_HIGH;
  return cells(...intids.flatMap((id) => [GIC_PPI, id - 16, flags]));
}

function timerNode(board: BoardDescription): FdtNode {
  return fdtNode("timer", {
    compatible: strings("arm,armv8-timer", "arm,armv7-timer"),
    "always-on": EMPTY,
    interrupts: ppis(
      board,
      ...[PPI.securePhysicalTimer, PPI.physicalTimer, PPI.virtualTimer, PPI.hypervisorTimer],
      ...(board.hypervisorVirtualTimer ? [PPI.hypervisorVirtualTimer] : []),
    ),
  });
}

function clockNode(): FdtNode {
  return fdtNode("apb-pclk", {
    compatible: strings("fixed-clock"),
    "#clock-cells": cells(0),
    "clock-frequency": cells(PCLK_HZ),
    "clock-output-names": strings("clk24mhz"),
    phandle: cells(PHANDLE.pclk),
  });
}

function pmuNode(board: BoardDescription): FdtNode {
  return fdtNode("pmu", { compatible: strings("arm,armv8-pmuv3"), interrupts: ppis(board, PPI.pmu) });
}

function rtcNode(): FdtNode {
  return fdtNode(`pl031@${hex(MAP.rtc.base)}`, {
    compatible: strings("arm,pl031", "arm,primecell"),
    reg: reg(MAP.rtc),
    interrupts: spi(SPI.rtc, LEVEL_HIGH),
    clocks: cells(PHANDLE.pclk),
    "clock-names": strings("apb_pclk"),
  });
}

function powerKeyNode(): FdtNode {
  return fdtNode("gpio-keys", { compatible: strings("gpio-keys") }, [
    fdtNode("poweroff", {
      label: strings("GPIO Key Poweroff"),
      "linux,code": cells(KEY_POWER),
      gpios: cells(PHANDLE.gpio, POWER_KEY_PIN, 0),
    }),
  ]);
}

function fwCfgNode(): FdtNode {
  return fdtNode(`fw-cfg@${hex(MAP.fwCfg.base)}`, {
    compatible: strings("qemu,fw-cfg-mmio"),
    reg: reg(MAP.fwCfg),
    "dma-coherent": EMPTY,
  });
}

function virtioNode(slot: number): FdtNode {
  const base = MAP.virtio.base + slot * VIRTIO_STRIDE;
  return fdtNode(`virtio_mmio@${hex(base)}`, {
    compatible: strings("virtio,mmio"),
    reg: reg({ base, size: VIRTIO_STRIDE }),
    interrupts: spi(SPI.virtio0 + slot, EDGE_RISING),
    "dma-coherent": EMPTY,
  });
}

/** What only a domain has: its hypervisor, and which copy of the guest it is. */
function domainNodes(): FdtNode[] {
  return [
    fdtNode("hypervisor", { compatible: strings("atoll,hypervisor"), method: strings("hvc") }),
    fdtNode(`vmgenid@${hex(MAP.generationId.base)}`, {
      compatible: strings("microsoft,vmgenid"),
      reg: reg(MAP.generationId),
      interrupts: spi(SPI.generationId, EDGE_RISING),
    }),
  ];
}

function watchdogNode(): FdtNode {
  return fdtNode(`watchdog@${hex(MAP.watchdogControl.base)}`, {
    compatible: strings("arm,sbsa-gwdt"),
    reg: reg(MAP.watchdogControl, MAP.watchdogRefresh),
    interrupts: spi(SPI.watchdog, LEVEL_HIGH),
  });
}

function channelNode(channel: ChannelDescription): FdtNode {
  const { name, index, member, members, readOnly, memory, doorbell } = channel;
  return fdtNode(`channel@${hex(memory.base)}`, {
    compatible: strings("atoll,channel"),
    label: strings(name),
    reg: reg(memory, doorbell),
    "reg-names": strings("memory", "doorbell"),
    interrupts: spi(channel.spi, LEVEL_HIGH),
    "atoll,channel": cells(index),
    "atoll,member": cells(member),
    "atoll,members": strings(...members),
    ...(readOnly ? { "read-only": EMPTY } : {}),
  });
}

function psciNode(conduit: string): FdtNode {
  return fdtNode("psci", {
    compatible: strings("arm,psci-1.0", "arm,psci-0.2", "arm,psci"),
    method: strings(conduit),
    cpu_suspend: cells(PSCI.CPU_SUSPEND_64),
    cpu_off: cells(PSCI.CPU_OFF),
    cpu_on: cells(PSCI.CPU_ON_64),
    migrate: cells(PSCI.MIGRATE_64),
  });
}

function flash(name: string, ...banks: Window[]): FdtNode {
  return fdtNode(`${name}@${hex((banks[0] as Window).base)}`, {
    compatible: strings("cfi-flash"),
    reg: reg(...banks),
    "bank-width": cells(4),
  });
}

function uart(window: Window, interrupt: number): FdtNode {
  return fdtNode(`pl011@${hex(window.base)}`, {
    compatible: strings("arm,pl011", "arm,primecell"),
    reg: reg(window),
    interrupts: spi(interrupt, LEVEL_HIGH),
    clocks: cells(PHANDLE.pclk, PHANDLE.pclk),
    "clock-names": strings("uartclk", "apb_pclk"),
  });
}

function gpio(window: Window, interrupt: number, phandle: number): FdtNode {
  return fdtNode(`pl061@${hex(window.base)}`, {
    compatible: strings("arm,pl061", "arm,primecell"),
    reg: reg(window),
    "#gpio-cells": cells(2),
    "gpio-controller": EMPTY,
    interrupts: spi(interrupt, LEVEL_HIGH),
    clocks: cells(PHANDLE.pclk),
    "clock-names": strings("apb_pclk"),
    phandle: cells(phandle),
  });
}

/** What only Secure state may use: `status` is for Normal world, `secure-status` for Secure world (Documentation/devicetree/bindings/arm/secure.txt). */
function secureNodes(): FdtNode[] {
  const nodes = [
    flash("secflash", MAP.flash0),
    uart(MAP.secureUart, SPI.secureUart),
    gpio(MAP.secureGpio, SPI.secureGpio, PHANDLE.secureGpio),
    ...(["poweroff", "restart"] as const).map((what) =>
      fdtNode(`gpio-${what}`, {
        compatible: strings(`gpio-${what}`),
        gpios: cells(PHANDLE.secureGpio, SECURE_GPIO_PIN[what], 0),
      }),
    ),
    fdtNode(`secram@${hex(MAP.secureRam.base)}`, { device_type: strings("memory"), reg: reg(MAP.secureRam) }),
  ];
  for (const { properties } of nodes) {
    properties.set("status", strings("disabled"));
    properties.set("secure-status", strings("okay"));
  }
  return [...nodes, fdtNode("secure-chosen", { "stdout-path": strings(`/pl011@${hex(MAP.secureUart.base)}`) })];
}

function cpusNode(board: BoardDescription): FdtNode {
  const indices = Array.from({ length: board.cpus }, (_, index) => index);
  const cpus = indices.map((index) => {
    const mpidr = board.mpidr(index);
    return fdtNode(`cpu@${hex(mpidr)}`, {
      device_type: strings("cpu"),
      compatible: strings(board.cpuCompatible),
      reg: cells(mpidr),
      ...(board.conduit === undefined ? {} : { "enable-method": strings("psci") }),
      phandle: cells(PHANDLE.cpu0 + index),
    });
  });
  const cores = indices.map((index) => fdtNode(`core${index}`, { cpu: cells(PHANDLE.cpu0 + index) }));
  const map = fdtNode("cpu-map", {}, [fdtNode("socket0", {}, [fdtNode("cluster0", {}, cores)])]);
  return fdtNode("cpus", { "#address-cells": cells(1), "#size-cells": cells(0) }, [map, ...cpus]);
}

function interruptController(board: BoardDescription): FdtNode {
  const { gicVersion, virtualization } = board;
  const common = {
    "#interrupt-cells": cells(3),
    "interrupt-controller": EMPTY,
    "#address-cells": cells(2),
    "#size-cells": cells(2),
    ranges: EMPTY,
    ...(virtualization ? { interrupts: ppis(board, PPI.gicMaintenance) } : {}),
    phandle: cells(PHANDLE.gic),
  };
  const name = `intc@${hex(MAP.gicd.base)}`;
  if (gicVersion === 2) {
    const windows = [MAP.gicd, MAP.gicc, ...(virtualization ? [MAP.gich, MAP.gicv] : [])];
    return fdtNode(name, { compatible: strings("arm,cortex-a15-gic"), reg: reg(...windows), ...common });
  }
  return fdtNode(name, {
    compatible: strings("arm,gic-v3"),
    reg: reg(MAP.gicd, MAP.gicr),
    "#redistributor-regions": cells(1),
    ...common,
  });
}

/** Fills in /chosen, which is made if need be, and /secure-chosen where there is one. */
export function applyChosen(tree: Fdt, chosen: Chosen): void {
  let node = fdtFind(tree.root, "/chosen");
  if (node === undefined) {
    node = fdtNode("chosen", {});
    tree.root.children.push(node);
  }
  if (chosen.bootargs !== "") node.properties.set("bootargs", strings(chosen.bootargs));
  if (chosen.initrd !== undefined) {
    node.properties.set("linux,initrd-start", cells64(chosen.initrd.start));
    node.properties.set("linux,initrd-end", cells64(chosen.initrd.end));
  }
  sow(node, chosen);
  const secure = fdtFind(tree.root, "/secure-chosen");
  if (secure !== undefined) sow(secure, chosen.secure);
}

function sow({ properties }: FdtNode, { rngSeed, kaslrSeed }: Seeds): void {
  properties.set("rng-seed", rngSeed);
  properties.set("kaslr-seed", kaslrSeed);
}

/** Makes a tree that came from elsewhere say how much RAM this machine has: its memory nodes are replaced. */
export function applyMemory(tree: Fdt, bytes: number): void {
  const { root } = tree;
  const size = (name: string, otherwise: number): number => {
    const value = root.properties.get(name);
    return value?.length === 4 ? (value[3] as number) : otherwise;
  };
  // Defaults of section 2.3.5 of the specification.
  const encode = (value: number, count: number): Uint8Array => (count === 1 ? cells(value) : cells64(value));
  const address = encode(MAP.ram.base, size("#address-cells", 2));
  const length = encode(bytes, size("#size-cells", 1));
  const kept = root.children.filter((node) => !/^memory(@|$)/.test(node.name));
  const memory = fdtNode(`memory@${hex(MAP.ram.base)}`, {
    device_type: strings("memory"),
    reg: Uint8Array.from([...address, ...length]),
  });
  root.children.splice(0, root.children.length, memory, ...kept);
}
