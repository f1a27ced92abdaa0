import { CPU_MODELS } from "../../arch/cpu-models.ts";
import { affinityOf } from "../board.ts";
import { boardTree, type ChannelDescription, type Seeds } from "../device-tree.ts";
import { levelsOf } from "../levels.ts";
import type { MachineParts } from "../runnable.ts";
import { type BootPlan, planBoot } from "./plan.ts";

/** The parts that decide what a machine boots. */
export type BootParts = Pick<
  MachineParts,
  "memory" | "cpus" | "cpu" | "gicVersion" | "virtualization" | "secure" | "append" | "loads" | "entropy" | "inflate"
> &
  Partial<Pick<MachineParts, "kernel" | "initrd" | "bios" | "dtb" | "watchdog">>;

/** Of the cpu nodes (Documentation/devicetree/bindings/arm/cpus.yaml). */
const CPU_COMPATIBLE = { "cortex-a72": "arm,cortex-a72", max: "arm,armv8" } as const;
/** Page sizes in KiB: ID_AA64MMFR0_EL1 says the same. */
const GRANULES = { "cortex-a72": [4, 64], max: [4, 16, 64] } as const;

/** What a domain of the hypervisor has beside a generation ID, but no performance monitors. */
export interface DomainBoard {
  readonly channels: readonly ChannelDescription[];
}

/** What a machine of these parts starts with. @param domain where it is one. */
export function bootPlanOf(parts: BootParts, domain?: DomainBoard): BootPlan {
  const { memory, cpus, gicVersion } = parts;
  const seed = (bytes: number): Uint8Array => {
    const random = new Uint8Array(bytes);
    parts.entropy.fill(random);
    return random;
  };
  const seeds = (): Seeds => ({ rngSeed: seed(32), kaslrSeed: seed(8) });
  const tree = boardTree({
    ...{ memory, cpus, gicVersion },
    cpuCompatible: CPU_COMPATIBLE[parts.cpu],
    mpidr: (index) => affinityOf(index, gicVersion),
    conduit: levelsOf(parts).conduit,
    virtualization: parts.virtualization === true,
    hypervisorVirtualTimer: parts.virtualization === true && CPU_MODELS[parts.cpu].features.has("VHE"),
    secure: parts.secure === true,
    ...{ pmu: domain === undefined, domain: domain !== undefined, channels: domain?.channels ?? [] },
    watchdog: parts.watchdog === true,
  });
  return planBoot({
    ...{ memory, kernel: parts.kernel, initrd: parts.initrd, bios: parts.bios, dtb: parts.dtb, loads: parts.loads },
    ...{ append: parts.append, tree, seeds: { ...seeds(), secure: seeds() } },
    granules: GRANULES[parts.cpu],
    inflate: parts.inflate,
  });
}
