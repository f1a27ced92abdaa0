import { SystemFirmware } from "../machine/firmware/firmware.ts";
import type { PowerPort } from "../machine/firmware/psci.ts";
import type { Domain } from "./domain.ts";
import { hypercalls, type SchedulingPort } from "./hypercalls/service.ts";
import { kvmServices, stolenTime } from "./paravirtual.ts";
import type { PhysicalPe } from "./physical-pe.ts";
import type { Vcpu } from "./vcpu.ts";

/** What PSCI calls do to vCPUs. */
export interface PowerActions {
  /** The PE that the hypervisor works for now. */
  readonly current: () => PhysicalPe;
  readonly start: (vcpu: Vcpu, entry: number, x0Low: number, x0High: number) => void;
  /** The calling vCPU is off, once it is left. */
  readonly off: (vcpu: Vcpu) => void;
  /** The calling vCPU waits as for WFI. */
  readonly suspend: (vcpu: Vcpu) => void;
  readonly end: (domain: Domain, how: "off" | "reset") => void;
  readonly scheduling: SchedulingPort;
}

/** PSCI, SMCCC, TRNG and the hypervisor's own calls for a domain: the services of the machine's firmware, with vCPUs for PEs, by HVC. */
export function domainFirmware(domain: Domain, actions: PowerActions): SystemFirmware {
  const vcpu = (index: number): Vcpu => domain.vcpus[index] as Vcpu;
  const power: PowerPort = {
    cpus: domain.vcpus.length,
    mpidr: (index) => ({ low: vcpu(index).affinity, aff3: 0 }),
    powerState: (index) => (vcpu(index).status === "off" ? "off" : "on"),
    powerOn: (index, entryLow, entryHigh, x0Low, x0High) =>
      actions.start(vcpu(index), entryHigh * 2 ** 32 + entryLow, x0Low, x0High),
    powerOff: (index) => actions.off(vcpu(index)),
    suspend: (index) => actions.suspend(vcpu(index)),
    systemOff: () => actions.end(domain, "off"),
    systemReset: () => actions.end(domain, "reset"),
  };
  return new SystemFirmware({
    conduit: "hvc",
    ownsEL3: false,
    power,
    entropy: domain.config.entropy,
    services: [stolenTime(domain), kvmServices(domain), hypercalls(domain, actions.scheduling)],
    isEntry: (low, high) => domain.isEntry(low, high),
    pe: () => {
      const { state, vcpu: calling } = actions.current();
      return { state, index: (calling as Vcpu).index };
    },
  });
}
