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

/** How a stage 2 fault was settled, for statistics. */
export type Settled = "memory" | "device" | "refused" | "watched";

/** What happens at a watched page. Returns whether the guest goes on with the access allowed now. */
export type WatchHandler = (vcpu: Vcpu, ipa: number, access: Access) => void;

/** An abort from below EL2 at stage 2: of data or of an instruction. */
export function settleFault(pe: PhysicalPe, vcpu: Vcpu, ec: number, iss: number): Settled {
  const s = pe.state;
  const { domain } = vcpu;
  const status = iss & 0x3c;
  // Translation, access flag and permission faults; others, of stage 1 with HCR_EL2.TEA, do not come.
  if (status !== 0x04 && status !== 0x08 && status !== 0x0c && status !== 0x00) {
    domain.refuse(vcpu, "exception", pageOffset(s));
    injectExternalAbort(s, ec, iss);
    return "refused";
  }
  const fetch = (ec & ~1) === EC_INSTRUCTION_ABORT;
  const page = (s.high(HPFAR_EL2) & 0xfff) * 2 ** 28 + (s.word(HPFAR_EL2) >>> 4);
  // Of a fault on a stage 1 walk the offset is not known; no device holds tables.
  const walk = (iss & S1PTW) !== 0;
  const ipa = page * 4096 + (walk ? 0 : pageOffset(s));
  const access: Access = fetch ? "execute" : walk ? "read" : iss & WNR && !(iss & CM) ? "write" : "read";
  switch (domain.space.fault(ipa, walk && iss & WNR ? "write" : access)) {
    case "again":
      return "memory";
    case "watched":
      return "watched";
    case "exhausted":
      domain.end("failed", "the machine has no memory left");
      return "refused";
    case "outside":
      break;
  }
  if (fetch || walk) {
    domain.refuse(vcpu, "memory", ipa);
    injectExternalAbort(s, ec, iss);
    return "refused";
  }
  accessDevice(pe, vcpu, iss, ec, ipa);
  return "device";
}
