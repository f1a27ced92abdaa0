import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DirtyTiles } from "./tiles.ts";

const ALL = { x: 0, y: 0, width: 65_535, height: 65_535 };

test("what is taken covers what was added, once, and lies inside of the picture", () => {
  const side = fc.integer({ min: 1, max: 200 });
  const part = fc.record({ x: side, y: side, width: side, height: side });
  fc.assert(
    fc.property(
      side,
      side,
      fc.array(part, { maxLength: 6 }),
      part,
      fc.integer({ min: 1, max: 100_000 }),
      (width, height, added, wanted, pixels) => {
        const tiles = new DirtyTiles(width, height);
        const whole = new Uint8Array(width * height);
        const paint = (areas: readonly { x: number; y: number; width: number; height: number }[]): void => {
          for (const area of areas) {
            assert.ok(
              area.width > 0 && area.height > 0 && area.x + area.width <= width && area.y + area.height <= height,
            );
            for (let y = area.y; y < area.y + area.height; y++) {
              for (let x = area.x; x < area.x + area.width; x++) whole[y * width + x]!++;
            }
          }
        };
        paint(tiles.take(ALL, pixels));
        assert.ok(whole.every((times) => times === 1));
        assert.equal(tiles.anyIn(ALL), false);
        whole.fill(0);
        for (const area of added) tiles.add(area);
        const first = tiles.take(wanted, pixels);
        assert.equal(tiles.anyIn(wanted), false);
        paint(first);
        paint(tiles.take(ALL, pixels));
        assert.ok(whole.every((times) => times <= 1));
        for (const area of added) {
          for (let y = area.y; y < Math.min(height, area.y + area.height); y++) {
            for (let x = area.x; x < Math.min(width, area.x + area.width); x++) assert.equal(whole[y * width + x], 1);
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});
