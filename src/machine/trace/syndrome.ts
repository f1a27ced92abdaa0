import { sysInsnText, sysregName } from "../../a64/system-names.ts";

// ESR_ELx in words (Arm ARM D19.2.37 and the ISS encodings of its exception classes).

const CLASSES: Readonly<Record<number, string>> = {
  0: "unknown reason",
  1: "WFI or WFE",
  7: "FP or SIMD access",
  9: "pointer authentication",
  10: "LD64B or ST64B",
  13: "branch target",
  14: "illegal execution state",
  21: "SVC",
  22: "HVC",
  23: "SMC",
  24: "MSR, MRS or system instruction",
  25: "SVE access",
  26: "ERET",
  28: "pointer authentication failure",
  32: "instruction abort, lower level",
  33: "instruction abort, same level",
  34: "PC alignment",
  36: "data abort, lower level",
  37: "data abort, same level",
  38: "SP alignment",
  44: "floating-point exception",
  47: "SError",
  48: "breakpoint, lower level",
  49: "breakpoint, same level",
  50: "software step, lower level",
  51: "software step, same level",
  52: "watchpoint, lower level",
  53: "watchpoint, same level",
  60: "BRK",
};

export const EC = {
  wfx: 1,
  fp: 7,
  pauth: 9,
  hvc: 22,
  smc: 23,
  system: 24,
  sve: 25,
  eret: 26,
  instructionAbort: 32,
  pcAlignment: 34,
  dataAbort: 36,
  watchpoint: 52,
} as const;

const FAULTS: readonly (readonly [mask: number, value: number, name: string])[] = [
  [0x3c, 0x00, "address size fault"],
  [0x3c, 0x04, "translation fault"],
  [0x3c, 0x08, "access flag fault"],
  [0x3c, 0x0c, "permission fault"],
  [0x3f, 0x10, "external abort"],
  [0x3c, 0x14, "external abort on a walk"],
  [0x3f, 0x21, "alignment fault"],
  [0x3f, 0x30, "TLB conflict"],
  [0x3f, 0x35, "unsupported exclusive or atomic access"],
];

const bit = (iss: number, n: number): boolean => ((iss >>> n) & 1) === 1;
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** ESR_ELx.EC. */
export function classOf(esr: number): number {
  return esr >>> 26;
}

/** Class and fields of the low half of an ESR_ELx. */
export function syndromeText(esr: number): string {
  const ec = classOf(esr);
  const iss = esr & 0x1ffffff;
  const name = CLASSES[ec] ?? `EC ${hex(ec)}`;
  const fields = fieldsText(ec, iss);
  return fields === "" ? name : `${name}: ${fields}`;
}

function fieldsText(ec: number, iss: number): string {
  switch (ec) {
    case EC.wfx:
      return iss & 1 ? "WFE" : "WFI";
    case EC.eret:
      return iss & 2 ? (iss & 1 ? "ERETAB" : "ERETAA") : "ERET";
    case EC.system:
      return systemText(iss);
    case 13:
      return `BTYPE ${iss & 3}`;
    case 21:
    case 22:
    case EC.smc:
    case 60:
      return `#${hex(iss & 0xffff)}`;
  }
  switch (ec & ~1) {
    case EC.instructionAbort:
      return [faultText(iss), bit(iss, 7) ? "on a stage 1 walk" : ""].filter(Boolean).join(", ");
    case EC.dataAbort:
      return dataAbortText(iss);
    case 50:
      return bit(iss, 6) ? "load-exclusive" : "";
    case EC.watchpoint:
      return bit(iss, 6) ? "write" : "read";
  }
  return iss === 0 ? "" : `ISS ${hex(iss)}`;
}

function faultText(iss: number): string {
  const code = iss & 0x3f;
  const [mask, , name] = FAULTS.find(([m, value]) => (code & m) === value) ?? [];
  if (name === undefined) return `fault status ${hex(code)}`;
  return mask === 0x3c ? `${name}, level ${code & 3}` : name;
}

function dataAbortText(iss: number): string {
  const parts = [faultText(iss), bit(iss, 6) ? "write" : "read"];
  // ISV: the register that is transferred, and how.
  if (bit(iss, 24)) {
    const bytes = 1 << ((iss >>> 22) & 3);
    parts.push(`${bytes} bytes ${bit(iss, 6) ? "from" : "to"} ${bit(iss, 15) ? "x" : "w"}${(iss >>> 16) & 31}`);
    if (bit(iss, 21)) parts.push("sign-extended");
    if (bit(iss, 14)) parts.push("acquire or release");
  }
  if (bit(iss, 8)) parts.push("cache maintenance");
  if (bit(iss, 7)) parts.push("on a stage 1 walk");
  if (bit(iss, 13)) parts.push("VNCR_EL2");
  return parts.join(", ");
}

/** op0:op1:CRn:CRm:op2 of the ISS of a trapped system instruction. */
export function systemId(iss: number): number {
  const field = (from: number, mask: number): number => (iss >>> from) & mask;
  return (field(20, 3) << 14) | (field(14, 7) << 11) | (field(10, 15) << 7) | (field(1, 15) << 3) | field(17, 7);
}

/** Rt of the ISS of a trapped system instruction, and whether it is read: an MSR or a SYS. */
export function systemOperand(iss: number): { readonly rt: number; readonly isRead: boolean } {
  return { rt: (iss >>> 5) & 31, isRead: !bit(iss, 0) };
}

/** The instruction that a trapped one was: "MRS x3, sctlr_el1". */
function systemText(iss: number): string {
  const { rt, isRead } = systemOperand(iss);
  return accessText(systemId(iss), rt, isRead);
}

const PSTATE_FIELDS: Readonly<Record<number, string>> = {
  3: "UAO",
  4: "PAN",
  5: "SPSel",
  25: "SSBS",
  26: "DIT",
  30: "DAIFSet",
  31: "DAIFClr",
};

/** An MRS, MSR or SYS in assembler. */
export function accessText(id: number, rt: number, write: boolean): string {
  const register = rt === 31 ? "xzr" : `x${rt}`;
  const op0 = id >> 14;
  if (op0 === 0) {
    const field = ((id >> 8) & 0x38) | (id & 7);
    return `MSR ${PSTATE_FIELDS[field] ?? `PSTATE field ${field}`}, #${(id >> 3) & 15}`;
  }
  if (op0 === 1) {
    if (!write) return `SYSL ${register}, ${sysregName(id)}`;
    return sysInsnText(id, rt)
      .trim()
      .split(/\s+/)
      .map((word) => (/^x\d|^#/.test(word) ? word : word.toUpperCase()))
      .join(" ");
  }
  const name = sysregName(id).toUpperCase();
  return write ? `MSR ${name}, ${register}` : `MRS ${register}, ${name}`;
}
