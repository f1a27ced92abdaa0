import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { fuzzOne, hasQemuImg, seeds } from "./image-fuzzer.ts";

for (const seed of seeds()) {
  test(`a damaged image gives an error and nothing else: ${seed.name}`, { timeout: 120_000 }, () => {
    for (let n = 1; n <= 400; n++) {
      try {
        fuzzOne(seed, new Random(n));
      } catch (error) {
        throw new Error(`seed ${n}`, { cause: error });
      }
    }
  });
}

test("damaged VMDK, VDI and VHDX images", { skip: !hasQemuImg && "no qemu-img to make sound ones with" }, () => {});
