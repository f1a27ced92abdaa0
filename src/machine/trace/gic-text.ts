// What an access to an interrupt controller's CPU interface means (IHI0069 chapter 12, IHI0048B chapter 4).

const SPURIOUS = 1020;
const intid = (value: bigint): number => Number(value & 0xff_ffffn);

/** Of a register ICC_*, ICV_* or ICH_*; "" where name and value say it all. */
export function gicAccessText(name: string, write: boolean, value: bigint): string {
  if (!write) return /_IAR[01]_/.test(name) ? acknowledged(intid(value)) : "";
  if (/_EOIR[01]_/.test(name)) return `end of interrupt ${intid(value)}`;
  if (/_DIR_/.test(name)) return `deactivate ${intid(value)}`;
  if (/_A?SGI[01]R_/.test(name)) return softwareInterrupt(value);
  if (/^ICH_LR\d+_/.test(name)) return listRegister(value);
  return "";
}

function acknowledged(id: number): string {
  return id >= SPURIOUS && id < 1024 ? "nothing to acknowledge" : `acknowledge ${id}`;
}

function softwareInterrupt(value: bigint): string {
  const sgi = Number((value >> 24n) & 15n);
  if ((value >> 40n) & 1n) return `SGI ${sgi} to all others`;
  const [aff3, aff2, aff1] = [48n, 32n, 16n].map((shift) => Number((value >> shift) & 0xffn));
  const list = Number(value & 0xffffn);
  const targets = Array.from({ length: 16 }, (_, n) => n).filter((n) => (list >> n) & 1);
  return `SGI ${sgi} to ${targets.map((n) => `${aff3}.${aff2}.${aff1}.${n}`).join(" ")}`;
}

const STATES = ["empty", "pending", "active", "pending and active"] as const;

/** IHI0069 12.4, ICH_LR<n>_EL2. */
function listRegister(value: bigint): string {
  const state = STATES[Number(value >> 62n)] as string;
  if (state === "empty") return state;
  const field = (from: bigint, mask: bigint): number => Number((value >> from) & mask);
  const hardware = field(61n, 1n) ? `, hardware ${field(32n, 0x1fffn)}` : field(41n, 1n) ? ", EOI maintenance" : "";
  return `${state} ${field(0n, 0xffff_ffffn)}, group ${field(60n, 1n)}, priority 0x${field(48n, 0xffn).toString(16)}${hardware}`;
}

/** Of a register of a GICv2, by the name of its window and the offset in it; undefined: it is configuration. */
export function gicV2AccessText(device: string, offset: number, write: boolean, value: number): string | undefined {
  if (device === "gic.cpu-interface" || device === "gic.virtual-cpu-interface") {
    if (!write && (offset === 0xc || offset === 0x20)) return acknowledged(value & 0x3ff);
    if (write && (offset === 0x10 || offset === 0x24)) return `end of interrupt ${value & 0x3ff}`;
    if (write && offset === 0x1000) return `deactivate ${value & 0x3ff}`;
  }
  if (device === "gic.distributor" && write && offset === 0xf00) {
    const to = ["", " to all others", " to itself"][(value >>> 24) & 3] as string;
    return `SGI ${value & 15}${to === "" ? ` to CPU mask 0x${((value >>> 16) & 0xff).toString(16)}` : to}`;
  }
  if (device === "gic.hypervisor-interface" && write && offset >= 0x100 && offset < 0x200) {
    const state = STATES[(value >>> 28) & 3] as string;
    const hardware = value >>> 31 ? `, hardware ${(value >>> 10) & 0x3ff}` : "";
    return `list register ${(offset - 0x100) / 4}: ${state} ${value & 0x3ff}, priority 0x${(((value >>> 23) & 31) << 3).toString(16)}${hardware}`;
  }
  return undefined;
}
