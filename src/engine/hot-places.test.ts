import assert from "node:assert/strict";
import { test } from "node:test";
import { HotPlaces } from "./hot-places.ts";
import { HOT, HOT_WINDOW, LOOK_EVERY } from "./limits.ts";

const PLACE = 0x1000;
const OTHER = 0x1010;

test("a place that is looked at twice in a window is hot, and that is said once", () => {
  const places = new HotPlaces();
  assert.equal(places.isHot(PLACE, LOOK_EVERY), false);
  assert.equal(places.isHot(OTHER, LOOK_EVERY), false);
  assert.equal(places.isHot(PLACE, 2 * LOOK_EVERY), true);
  assert.equal(places.isHot(PLACE, 3 * LOOK_EVERY), false);
});

test("what is come to more slowly is hot when that was HOT times", () => {
  const places = new HotPlaces();
  for (let heat = LOOK_EVERY; heat < HOT; heat += LOOK_EVERY) {
    assert.equal(places.isHot(PLACE, heat), false);
    for (let i = 0; i < HOT_WINDOW; i++) places.passed();
  }
  assert.equal(places.isHot(PLACE, HOT), true);
});

test("what was found hot and is still not translated is so again in another window", () => {
  const places = new HotPlaces();
  assert.equal(places.isHot(PLACE, HOT), true);
  assert.equal(places.isHot(PLACE, HOT + LOOK_EVERY), false);
  for (let i = 0; i < HOT_WINDOW; i++) places.passed();
  assert.equal(places.isHot(PLACE, HOT + 2 * LOOK_EVERY), true);
});
