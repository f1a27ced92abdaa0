import assert from "node:assert/strict";
import { test } from "node:test";
import { restart } from "../../contract/domain.ts";
import { BackOff } from "./back-off.ts";

const waits = (given: object, ends: readonly (readonly [failed: boolean, ran: number])[]): (number | undefined)[] => {
  const backOff = new BackOff(restart.parse(given));
  return ends.map(([failed, ran]) => backOff.next(failed, ran));
};
const failed = [true, 0] as const;

test("each restart waits twice as long as the one before, up to the longest", () => {
  assert.deepEqual(waits({ when: "failure", delay: 1, longest: 5 }, [failed, failed, failed, failed]), [1, 2, 4, 5]);
});

test("a minute without a failure forgets the earlier ones", () => {
  assert.deepEqual(waits({ when: "always" }, [failed, failed, [true, 61], failed]), [1, 2, 1, 2]);
});

test("a guest that shut down is started again only by always", () => {
  assert.deepEqual(waits({ when: "failure" }, [[false, 5]]), [undefined]);
  assert.deepEqual(waits({ when: "always" }, [[false, 5]]), [1]);
  assert.deepEqual(waits({ when: "never" }, [failed]), [undefined]);
});

test("after so many in a row it stays down, and says so", () => {
  const backOff = new BackOff(restart.parse({ when: "always", most: 1 }));
  assert.deepEqual([backOff.next(true, 1), backOff.gaveUp], [1, false]);
  assert.deepEqual([backOff.next(true, 1), backOff.gaveUp], [undefined, true]);
  assert.deepEqual(waits({ when: "failure", most: 2 }, [failed, failed, failed]), [1, 2, undefined]);
});
