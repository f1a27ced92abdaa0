import { EC_INSTRUCTION_ABORT } from "../../cpu/syndrome.ts";
import { HPFAR_EL2 } from "../../cpu/sysreg-layout.ts";
import { injectExternalAbort } from "../inject.ts";
import type { PhysicalPe } from "../physical-pe.ts";
import type { Access } from "../stage2-space.ts";
import type { Vcpu } from "../vcpu.ts";
import { accessDevice, pageOffset } from "./device-access.ts";

const WNR = 1 << 6;
const S1PTW = 1 << 7;
const CM = 1 << 8;
// Fault status code without its level.
const FAULT_TYPE = 0x3c;
const PERMISSION_FAULT = 0x0c;

/** How a stage 2 fault was settled, for statistics. */
export type Settled = "memory" | "device" | "refused" | "watched";

/** An access that stage 2 did not allow. */
export interface StageTwoFault {
  readonly ipa: number;
  readonly access: Access;
}

/** What ESR_EL2, FAR_EL2 and HPFAR_EL2 say of an abort from below EL2 at stage 2. */
export function faultOf(s: PhysicalPe["state"], ec: number, iss: number): StageTwoFault {
  return { ipa: ipaOf(s, iss), access: accessOf(ec, iss) };
}

/** Of a fault on a stage 1 walk the offset is not known; no device holds tables. */
function ipaOf(s: PhysicalPe["state"], iss: number): number {
  const page = (s.high(HPFAR_EL2) & 0xfff) * 2 ** 28 + (s.word(HPFAR_EL2) >>> 4);
  return page * 4096 + (iss & S1PTW ? 0 : pageOffset(s));
}

function accessOf(ec: number, iss: number): Access {
  // A walk of stage 1 that was not permitted wanted to write the access flag or the dirty state (Arm ARM, D8.5): the tables can be read. Whose
  // walk it was, an instruction's or of data, says nothing of that.
  if (iss & S1PTW && (iss & FAULT_TYPE) === PERMISSION_FAULT) return "write";
  if ((ec & ~1) === EC_INSTRUCTION_ABORT) return "execute";
  return iss & WNR && !(iss & CM) ? "write" : "read";
}

/** An abort from below EL2 at stage 2: of data or of an instruction. */
export function settleFault(pe: PhysicalPe, vcpu: Vcpu, ec: number, iss: number): Settled {
  const s = pe.state;
  const { domain } = vcpu;
  const status = iss & FAULT_TYPE;
  // Translation, access flag and permission faults; others, of stage 1 with HCR_EL2.TEA, do not come.
  if (status !== 0x04 && status !== 0x08 && status !== PERMISSION_FAULT && status !== 0x00) {
    domain.refuse(vcpu, "exception", pageOffset(s));
    injectExternalAbort(s, ec, iss);
    return "refused";
  }
  const walk = (iss & S1PTW) !== 0;
  const ipa = ipaOf(s, iss);
  const access = accessOf(ec, iss);
  switch (domain.space.fault(ipa, access)) {
    case "again":
      return "memory";
    case "watched":
      return "watched";
    case "exhausted":
      domain.starve();
      return "memory";
    case "outside":
      break;
  }
  if (access !== "write" && !walk && !(iss & CM) && domain.flash.show(ipa)) return "memory";
  if (access === "execute" || walk) {
    domain.refuse(vcpu, "memory", ipa);
    injectExternalAbort(s, ec, iss);
    return "refused";
  }
  accessDevice(pe, vcpu, iss, ec, ipa);
  return "device";
}
