import type { PixelFormat } from "../../../bus/pixel-format.ts";

/** enum virtio_gpu_formats (virtio 1.2, 5.7.6.8): names have the bytes in the order of memory. */
export const FORMATS: ReadonlyMap<number, PixelFormat> = new Map<number, PixelFormat>([
  // B8G8R8A8, B8G8R8X8
  [1, { bytes: 4, red: 16, green: 8, blue: 0, alpha: 24 }],
  [2, { bytes: 4, red: 16, green: 8, blue: 0 }],
  // A8R8G8B8, X8R8G8B8
  [3, { bytes: 4, red: 8, green: 16, blue: 24, alpha: 0 }],
  [4, { bytes: 4, red: 8, green: 16, blue: 24 }],
  // R8G8B8A8
  [67, { bytes: 4, red: 0, green: 8, blue: 16, alpha: 24 }],
  // X8B8G8R8
  [68, { bytes: 4, red: 24, green: 16, blue: 8 }],
  // A8B8G8R8
  [121, { bytes: 4, red: 24, green: 16, blue: 8, alpha: 0 }],
  // R8G8B8X8
  [134, { bytes: 4, red: 0, green: 8, blue: 16 }],
]);
