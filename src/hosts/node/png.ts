import { PNG } from "pngjs";
import type { Display } from "../../bus/display.ts";

/** What the display shows now, as a PNG file; undefined: the guest shows nothing. */
export function screenshot(display: Display): Uint8Array | undefined {
  display.refresh();
  const { surface } = display;
  if (surface === undefined) return undefined;
  const { width, height, bytes } = surface;
  const png = new PNG({ width, height });
  png.data = Buffer.from(bytes.buffer, 0, width * height * 4);
  // Without alpha, which is the same everywhere.
  return PNG.sync.write(png, { colorType: 2, inputHasAlpha: true, bgColor: { red: 0, green: 0, blue: 0 } });
}
