// Arm True Random Number Generator Firmware Interface 1.0 (DEN0098).

import type { EntropySource } from "../../bus/device.ts";
import { type Call, type Results, type Service, SMC64 } from "./calls.ts";
import { TRNG, TRNG_RESULT } from "./function-ids.ts";

const VERSION_1_0 = 0x0001_0000;
/** Identifies this back end, 7d4f5ad8-1a4e-4f0c-9f6a-3e1b5c0d2a91, as four words of its bytes in order, the first byte lowest. */
const UUID: readonly number[] = [0xd85a4f7d, 0x0c4f4e1a, 0x1b3e6a9f, 0x912a0d5c];

export function trng(entropy: EntropySource): Service {
  const random = (call: Call): Results => {
    const wide = (call.id & SMC64) !== 0;
    const registerBits = wide ? 64 : 32;
    const [bits, bitsHigh] = call.arg(1);
    // Section 2.5: 1 to 96 bits in 32-bit registers, 1 to 192 in 64-bit ones; X1 to X3 are zero otherwise.
    if (bitsHigh !== 0 || bits === 0 || bits > registerBits * 3) return [TRNG_RESULT.INVALID_PARAMETERS, 0, 0, 0];
    const bytes = new Uint8Array(24);
    entropy.fill(bytes.subarray(0, Math.ceil(bits / 8)));
    if (bits % 8 !== 0) {
      const last = bits >> 3;
      bytes[last] = (bytes[last] as number) & ((1 << (bits % 8)) - 1);
    }
    const view = new DataView(bytes.buffer);
    const word = (n: number): number => view.getUint32(n * 4, true);
    // The low bits are in X3, then come X2 and X1.
    return [
      TRNG_RESULT.SUCCESS,
      ...[2, 1, 0].map((n): readonly [number, number] => (wide ? [word(n * 2), word(n * 2 + 1)] : [word(n), 0])),
    ];
  };
  const service: Map<number, (call: Call) => Results> = new Map([
    [TRNG.VERSION, (): Results => [VERSION_1_0]],
    [TRNG.GET_UUID, (): Results => UUID.map((word): readonly [number, number] => [word, 0])],
    [TRNG.RND_32, random],
    [TRNG.RND_64, random],
  ]);
  service.set(TRNG.FEATURES, (call) => {
    const [id] = call.arg(1);
    return [service.has(id) ? TRNG_RESULT.SUCCESS : TRNG_RESULT.NOT_SUPPORTED];
  });
  return service;
}
