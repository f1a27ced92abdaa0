// The machine under the hypervisor: PEs that begin at EL2, RAM, and a physical GIC. It has no other device: those are the domains'.

import { linear, physical } from "../base/addresses.ts";
import { Bus } from "../bus/bus.ts";
import type { EntropySource } from "../bus/device.ts";
import { CONTROLLER_LINES, type LevelOwner } from "../cpu/ports.ts";
import { ATTENTION, LINES } from "../cpu/state-layout.ts";
import { CNTHCTL_EL2, HCR_EL2, MDCR_EL2, MIDR_EL1, VBAR_EL2, VPIDR_EL2, VTCR_EL2 } from "../cpu/sysreg-layout.ts";
import { GicV3 } from "../devices/gic/gicv3.ts";
import { Engine } from "../engine/engine.ts";
import { affinityOf } from "../machine/board.ts";
import { MachineClock } from "../machine/clock.ts";
import { allocate, planMemory } from "../machine/linear-plan.ts";
import { MAP } from "../machine/memory-map.ts";
import { NativeModule } from "../machine/native-module.ts";
import { Processors, peStates } from "../machine/processors.ts";
import type { CpuModel, MachineParts, Tier } from "../machine/runnable.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import { PageRelease, type ReleasePages } from "../memory/page-release.ts";
import { MachineMemory } from "./machine-memory.ts";
import { PhysicalPe } from "./physical-pe.ts";
import { VTCR } from "./stage2-tables.ts";

export interface PhysicalMachineParts {
  /** Bytes of RAM for all domains, a multiple of 4096. */
  readonly memory: number;
  /** PEs. */
  readonly cpus: number;
  readonly cpu: CpuModel;
  readonly tier: Tier;
  readonly entropy: EntropySource;
  /** Nanoseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  readonly artifacts: MachineParts["artifacts"];
  /** As MachineParts.regionThread: translates code while domains run. */
  readonly regionThread?: MachineParts["regionThread"];
  /** As MachineParts.keepRegions. */
  readonly keepRegions?: MachineParts["keepRegions"];
  /** False where the host has no memory that threads share. */
  readonly sharedMemory?: boolean | undefined;
  /** How memory that nobody has goes back to the host. */
  readonly releasePages?: ReleasePages | undefined;
}

/** What there is of the machine when the owner of EL2 is made: its PEs come later, into `pes`. */
export interface BeforeOwner {
  readonly pes: readonly PhysicalPe[];
  readonly memory: MachineMemory;
  readonly clock: MachineClock;
}

// HCR_EL2: VM, FMO, IMO, AMO, FB, TWI, TID3, TSC, TIDCP, RW; APK, API.
const HCR_LOW = 1 | (7 << 3) | (1 << 9) | (1 << 13) | (1 << 18) | (1 << 19) | (1 << 20) | (1 << 31);
const HCR_HIGH = 3 << (40 - 32);
/** MDCR_EL2: TPM, TPMCR. */
const MDCR_MONITORS = 3 << 5;

export class PhysicalMachine<Owner extends LevelOwner> implements BeforeOwner {
  readonly pes: readonly PhysicalPe[];
  readonly memory: MachineMemory;
  readonly clock: MachineClock;
  readonly processors: Processors;
  readonly owner: Owner;
  /** How RAM goes back to the host; undefined: it does not. */
  readonly pageRelease: PageRelease | undefined;

  /** `makeOwner`: who every exception to EL2 goes to. @throws BadInput when the host cannot give the memory. */
  constructor(parts: PhysicalMachineParts, makeOwner: (before: BeforeOwner) => Owner) {
    const plan = planMemory(parts.memory, parts.cpus, Engine.areaBytes());
    const memory = allocate(plan, parts.sharedMemory);
    const { buffer } = memory;
    const clock = new MachineClock(parts.monotonic);
    const states = peStates(memory, parts.cpus);
    const ram = new GuestMemory(buffer);
    ram.addRegion(physical(MAP.ram.base), parts.memory, linear(plan.ram), 0, MAP.ram.name);
    const gic = new GicV3({
      ...{ memory: buffer, cpus: parts.cpus, awake: true },
      affinity: (cpu) => affinityOf(cpu, 3),
      setLines: (cpu, lines) => {
        const state = states[cpu];
        state?.setWord(LINES, (state.word(LINES) & ~CONTROLLER_LINES) | lines);
        state?.setWord(ATTENTION, 1);
      },
    });
    // Stage 2 maps no device: no access gets to a bus.
    const native = new NativeModule({
      ...{ bytes: parts.artifacts.native, memory, states },
      bus: new Bus(),
      now: () => clock.now(),
    });
    const pes: PhysicalPe[] = [];
    this.pes = pes;
    this.clock = clock;
    this.memory = new MachineMemory(buffer, plan.ram, parts.memory);
    this.pageRelease = parts.releasePages && new PageRelease(memory, plan.ram, parts.memory, parts.releasePages);
    this.owner = makeOwner(this);
    this.processors = new Processors({
      ...{ parts: { ...parts, gicVersion: 3, measure: undefined }, memory, states, plan, clock, native },
      board: { memory: ram, interrupts: gic, interruptSysregs: gic.sysregs },
      model: { el2: true, el3: false, gicv3: true },
      levels: { el2: true, el3: false, entry: 2, conduit: undefined },
      // Nothing is behind an SMC; but it traps.
      firmware: { call: () => false },
      sampler: undefined,
      owner: this.owner,
    });
    for (const [index, { state, timers }] of this.processors.all.entries()) {
      pes.push(new PhysicalPe(index, { state, timers, native: native.exports, gic, affinity: affinityOf(index, 3) }));
    }
    this.processors.reset(0, []);
  }
}

/** EL2's registers, as they stay. */
export function initialize(pe: PhysicalPe): void {
  const s = pe.state;
  s.set64(HCR_EL2, HCR_LOW, HCR_HIGH);
  s.set64(VTCR_EL2, VTCR, 0);
  s.set64(CNTHCTL_EL2, 0, 0);
  s.setWord(MDCR_EL2, s.word(MDCR_EL2) | MDCR_MONITORS);
  s.copy64(VPIDR_EL2, MIDR_EL1);
  s.set64(VBAR_EL2, 0, 0);
  pe.initialize();
}
