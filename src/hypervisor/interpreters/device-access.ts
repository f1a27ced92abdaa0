import { FAR_EL2 } from "../../cpu/sysreg-layout.ts";
import { MAP } from "../../machine/memory-map.ts";
import { injectExternalAbort, skipInstruction } from "../inject.ts";
import type { PhysicalPe } from "../physical-pe.ts";
import type { Vcpu } from "../vcpu.ts";
import { registerHigh, registerLow, setRegister } from "./registers.ts";

// ISS of a data abort with a valid instruction syndrome (Arm ARM D19.2.37).
const ISV = 1 << 24;
const SSE = 1 << 21;
const SF = 1 << 15;
const CM = 1 << 8;
const WNR = 1 << 6;

/** What passes between registers and devices: two words. */
const data = new Uint32Array(4);

/** The interrupt controller's windows: their registers are right only when nothing is in list registers. */
const isGic = (ipa: number): boolean => ipa >= MAP.gicd.base && ipa < MAP.gicr.base + MAP.gicr.size;

/** A load or store to where the domain has no memory: its devices' registers. */
export function accessDevice(pe: PhysicalPe, vcpu: Vcpu, iss: number, ec: number, ipa: number): void {
  const s = pe.state;
  const { domain } = vcpu;
  // Cache maintenance has nothing to do here.
  if (iss & CM) {
    skipInstruction(s);
    return;
  }
  if (!(iss & ISV)) {
    domain.refuse(vcpu, domain.bus.holds(ipa) ? "instruction" : "memory", ipa);
    injectExternalAbort(s, ec, iss);
    return;
  }
  const bytes = 1 << ((iss >>> 22) & 3);
  const rt = (iss >>> 16) & 31;
  const gic = isGic(ipa);
  if (gic) domain.gic.unlist(pe, vcpu.index);
  let answered: boolean;
  if (iss & WNR) {
    data[0] = registerLow(s, rt);
    data[1] = registerHigh(s, rt);
    answered = domain.bus.write(ipa, bytes, data);
  } else {
    answered = domain.bus.read(ipa, bytes, data);
    if (answered) load(s, rt, bytes, iss);
  }
  if (gic) domain.gic.changed();
  if (answered) {
    domain.deviceAccesses++;
    skipInstruction(s);
    return;
  }
  domain.refuse(vcpu, "memory", ipa);
  injectExternalAbort(s, ec, iss);
}

function load(s: PhysicalPe["state"], rt: number, bytes: number, iss: number): void {
  const low = data[0] as number;
  if (bytes === 8) {
    setRegister(s, rt, low | 0, (data[1] as number) | 0);
    return;
  }
  const shift = 32 - 8 * bytes;
  const value = iss & SSE ? (low << shift) >> shift : low | 0;
  setRegister(s, rt, value, iss & SSE && iss & SF ? value >> 31 : 0);
}

/** The low 12 bits of the address that faulted: HPFAR_EL2 has the others. */
export const pageOffset = (s: PhysicalPe["state"]): number => s.word(FAR_EL2) & 0xfff;
