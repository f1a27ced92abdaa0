import type { Line } from "../../bus/device.ts";
import * as L from "./layout.ts";
import type { GicState } from "./state.ts";

/**
 * The input of a shared peripheral interrupt.
 * @param spi 0 is INTID 32. RangeError when there is no such SPI.
 */
export function spiLine(state: GicState, spi: number): Line {
  const intid = spi + 32;
  if (!Number.isInteger(spi) || spi < 0 || intid >= L.INTIDS)
    throw new RangeError(`no SPI ${spi}: there are ${L.INTIDS - 32}`);
  return { set: (level) => state.setLevel(intid, 0, level) };
}
