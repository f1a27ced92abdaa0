// Makes the device tree that a boot loader would hand to Xen: the board's own (atoll run --dump-dtb) with the modules that were placed in RAM
// (Xen's docs/misc/arm/device-tree/booting.txt and guest.txt).
//
//   node test/systems/xen-device-tree.ts --in board.dtb --out xen.dtb --kernel FILE@ADDRESS --initrd FILE@ADDRESS [--append TEXT]
//        [--domu N] [--domu-append TEXT] [--domu-memory MIB] [--xen-append TEXT]
//
// Without --domu there is one domain, dom0; with it there are N domains and no dom0, each started from the same files.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  cells,
  cells64,
  EMPTY,
  type Fdt,
  type FdtNode,
  fdtFind,
  fdtNode,
  readFdt,
  strings,
  writeFdt,
} from "../../src/machine/fdt.ts";

/** A file that is in RAM when Xen starts. */
export interface Module {
  readonly address: number;
  readonly bytes: number;
}

export interface XenBoot {
  readonly kernel: Module;
  readonly initrd: Module;
  /** Command line of Xen. */
  readonly xenAppend: string;
  /** Command line of each domain's kernel. */
  readonly append: string;
  /** Domains without dom0; 0: dom0 alone. */
  readonly domUs: number;
  /** MiB and virtual CPUs of each of them. */
  readonly domUMemory: number;
}

function moduleNode(kind: "kernel" | "ramdisk", { address, bytes }: Module, append?: string): FdtNode {
  return fdtNode(`module@${address.toString(16)}`, {
    compatible: strings(`multiboot,${kind}`, "multiboot,module"),
    reg: cells64(address, bytes),
    ...(append === undefined ? {} : { bootargs: strings(append) }),
  });
}

/** Adds what Xen looks for in /chosen. */
export function addXenModules(tree: Fdt, boot: XenBoot): void {
  const chosen = fdtFind(tree.root, "/chosen");
  if (chosen === undefined) throw new Error("the device tree has no /chosen");
  const modules = (): FdtNode[] => [moduleNode("kernel", boot.kernel, boot.append), moduleNode("ramdisk", boot.initrd)];
  chosen.properties.set("xen,xen-bootargs", strings(boot.xenAppend));
  chosen.properties.set("#address-cells", cells(2));
  chosen.properties.set("#size-cells", cells(2));
  if (boot.domUs === 0) {
    chosen.properties.set("xen,dom0-bootargs", strings(boot.append));
    chosen.children.push(...modules());
  }
  for (let n = 1; n <= boot.domUs; n++) {
    chosen.children.push(
      fdtNode(
        `domU${n}`,
        {
          compatible: strings("xen,domain"),
          "#address-cells": cells(2),
          "#size-cells": cells(2),
          cpus: cells(1),
          // In KiB.
          memory: cells64(boot.domUMemory * 1024),
          vpl011: EMPTY,
        },
        modules(),
      ),
    );
  }
}

function main(): void {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      ...{ in: text, out: text, kernel: text, initrd: text, append: text, domu: text, "domu-memory": text },
      "xen-append": text,
    },
  });
  const placed = (name: "kernel" | "initrd"): Module => {
    const [, file, address] = /^(.+)@(0x[0-9a-f]+)$/i.exec(values[name] ?? "") ?? [];
    if (file === undefined) throw new Error(`give --${name} FILE@ADDRESS`);
    return { address: Number(address), bytes: statSync(file).size };
  };
  if (values.in === undefined || values.out === undefined) throw new Error("give --in and --out");
  const tree = readFdt(readFileSync(values.in));
  addXenModules(tree, {
    kernel: placed("kernel"),
    initrd: placed("initrd"),
    xenAppend: values["xen-append"] ?? "console=dtuart dtuart=/pl011@9000000 dom0_mem=512M",
    append: values.append ?? "",
    domUs: Number(values.domu ?? 0),
    domUMemory: Number(values["domu-memory"] ?? 256),
  });
  writeFileSync(values.out, writeFdt(tree));
}

if (import.meta.main) main();
