/** GICD_IIDR and GICR_IIDR: JEP106 code of Arm, no product or revision. */
export const IIDR = 0x43b;

const PIDR0 = [0x92, 0x93] as const;

/**
 * The last 0x30 bytes of a frame: PIDR4..7, PIDR0..3, CIDR0..3 (IHI0069 12.1.4; IHI0048B 4.3.19).
 * @param index Word number from PIDR4.
 * @param architecture 2 or 3, PIDR2.ArchRev.
 */
export function identification(
  index: number,
  architecture: number,
  part: "distributor" | "redistributor" = "distributor",
): number {
  switch (index) {
    case 0:
      return 0x44;
    case 4:
      return PIDR0[part === "distributor" ? 0 : 1];
    case 5:
      return 0xb4;
    case 6:
      return (architecture << 4) | 0xb;
    case 8:
      return 0x0d;
    case 9:
      return 0xf0;
    case 10:
      return 0x05;
    case 11:
      return 0xb1;
    default:
      return 0;
  }
}
