import assert from "node:assert/strict";
import { test } from "node:test";
import { HotPlaces } from "./hot-places.ts";
import { HOT, HOT_LOOKS, HOT_WINDOW, LOOK_EVERY } from "./limits.ts";

const PLACE = 0x1000;
const OTHER = 0x1010;

test("a place that is looked at often in a window is hot, and stays so", () => {
  const places = new HotPlaces();
  for (let i = 1; i < HOT_LOOKS; i++) assert.equal(places.isHot(PLACE, i * LOOK_EVERY), false);
  assert.equal(places.isHot(OTHER, LOOK_EVERY), false);
  assert.equal(places.isHot(PLACE, HOT_LOOKS * LOOK_EVERY), true);
  assert.equal(places.isHot(PLACE, (HOT_LOOKS + 1) * LOOK_EVERY), true);
});

test("what is come to more slowly is hot when that was HOT times", () => {
  const places = new HotPlaces();
  for (let heat = LOOK_EVERY; heat < HOT; heat += LOOK_EVERY) {
    assert.equal(places.isHot(PLACE, heat), false);
    places.passed(HOT_WINDOW);
  }
  assert.equal(places.isHot(PLACE, HOT), true);
});
