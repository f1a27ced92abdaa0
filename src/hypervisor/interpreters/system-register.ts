import { sysregId } from "../../arch/sysreg-names.ts";
import * as R from "../../devices/gic/sysreg-ids.ts";
import { injectUndefined, skipInstruction } from "../inject.ts";
import type { PhysicalPe } from "../physical-pe.ts";
import type { PhysicalTimer } from "../physical-timer.ts";
import type { Vcpu } from "../vcpu.ts";
import { identificationHigh, identificationLow, isIdentification } from "./identification.ts";
import { registerHigh, registerLow, setRegister } from "./registers.ts";

// Trapped MSR, MRS and system instructions (EC 0x18). Which trap: performance monitors (MDCR_EL2.TPM), identification (HCR_EL2.TID3),
// EL1's physical timer and counter (CNTHCTL_EL2), SGIs (HCR_EL2.IMO), ICC_DIR_EL1 (ICH_HCR_EL2.TDIR), what is implementation defined
// (HCR_EL2.TIDCP). Everything else is a register that a domain has not.

type Read = (pe: PhysicalPe, vcpu: Vcpu) => void;
type Write = (pe: PhysicalPe, vcpu: Vcpu, low: number, high: number) => void;
interface Register {
  readonly read?: Read;
  readonly write?: Write;
}

// What a read gives.
let low = 0;
let high = 0;
const give = (lowHalf: number, highHalf: number): void => {
  low = lowHalf;
  high = highHalf;
};

const timerOf = ({ domain, index }: Vcpu): PhysicalTimer => domain.timers[index] as PhysicalTimer;
const giveNumber = (value: number): void => give((value % 2 ** 32) | 0, Math.floor(value / 2 ** 32) | 0);

const COUNTER: Register = { read: (_pe, vcpu) => giveNumber(timerOf(vcpu).count) };
const generation = (id: number): Register => ({
  write: (_pe, { domain, index }, value, upper) => domain.gic.generate(index, id, value, upper),
});
/** There are no performance monitors; software that uses their registers nevertheless finds none that count. */
const NO_MONITOR: Register = { read: () => give(0, 0), write: () => {} };

const MONITORS = [
  ...["PMCR_EL0", "PMCNTENSET_EL0", "PMCNTENCLR_EL0", "PMOVSCLR_EL0", "PMSWINC_EL0", "PMSELR_EL0", "PMCEID0_EL0"],
  ...["PMCEID1_EL0", "PMCCNTR_EL0", "PMXEVTYPER_EL0", "PMXEVCNTR_EL0", "PMUSERENR_EL0", "PMOVSSET_EL0"],
  ...["PMCCFILTR_EL0", "PMINTENSET_EL1", "PMINTENCLR_EL1", "PMMIR_EL1"],
];

const REGISTERS: ReadonlyMap<number, Register> = new Map<number, Register>([
  [sysregId("CNTPCT_EL0"), COUNTER],
  [sysregId("CNTPCTSS_EL0"), COUNTER],
  [
    sysregId("CNTP_CTL_EL0"),
    {
      read: (_pe, vcpu) => give(timerOf(vcpu).control, 0),
      write: (_pe, vcpu, value) => timerOf(vcpu).setControl(value),
    },
  ],
  [
    sysregId("CNTP_CVAL_EL0"),
    {
      read: (_pe, vcpu) => give(timerOf(vcpu).compareLow, timerOf(vcpu).compareHigh),
      write: (_pe, vcpu, value, upper) => timerOf(vcpu).setCompare(value, upper),
    },
  ],
  [
    sysregId("CNTP_TVAL_EL0"),
    {
      read: (_pe, vcpu) => give(timerOf(vcpu).value, 0),
      write: (_pe, vcpu, value) => timerOf(vcpu).setValue(value),
    },
  ],
  [R.ICC_SGI1R_EL1, generation(R.ICC_SGI1R_EL1)],
  [R.ICC_SGI0R_EL1, generation(R.ICC_SGI0R_EL1)],
  [R.ICC_ASGI1R_EL1, generation(R.ICC_ASGI1R_EL1)],
  [R.ICC_DIR_EL1, { write: (pe, { domain, index }, value) => domain.gic.deactivate(pe, index, value & 0xff_ffff) }],
  ...MONITORS.map((name) => [sysregId(name), NO_MONITOR] as const),
]);

/** PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0: op0 3, op1 3, CRn 14, CRm 8 to 15. */
const isEventCounter = (id: number): boolean => (id & ~0x3f) === 0xdf40;

/** op0:op1:CRn:CRm:op2 of an ISS. */
const idOf = (iss: number): number =>
  (((iss >>> 20) & 3) << 14) |
  (((iss >>> 14) & 7) << 11) |
  (((iss >>> 10) & 15) << 7) |
  (((iss >>> 1) & 15) << 3) |
  ((iss >>> 17) & 7);

/** True: done. False: UNDEFINED for the guest. */
export function accessRegister(pe: PhysicalPe, vcpu: Vcpu, iss: number): boolean {
  const s = pe.state;
  const id = idOf(iss);
  const rt = (iss >>> 5) & 31;
  const isRead = (iss & 1) !== 0;
  if (isRead && isIdentification(id)) {
    setRegister(s, rt, identificationLow(s, id), identificationHigh);
    skipInstruction(s);
    return true;
  }
  const register = REGISTERS.get(id) ?? (isEventCounter(id) ? NO_MONITOR : undefined);
  if (isRead && register?.read) {
    register.read(pe, vcpu);
    setRegister(s, rt, low, high);
  } else if (!isRead && register?.write) {
    register.write(pe, vcpu, registerLow(s, rt), registerHigh(s, rt));
  } else {
    vcpu.domain.refuse(vcpu, "register", id);
    injectUndefined(s);
    return false;
  }
  skipInstruction(s);
  return true;
}
