// Numbers and structures of the GPU device's requests (virtio 1.2, 5.7.6.7), all little-endian.

export const COMMAND = {
  getDisplayInfo: 0x0100,
  resourceCreate2d: 0x0101,
  resourceUnref: 0x0102,
  setScanout: 0x0103,
  resourceFlush: 0x0104,
  transferToHost2d: 0x0105,
  resourceAttachBacking: 0x0106,
  resourceDetachBacking: 0x0107,
  getEdid: 0x010a,
  updateCursor: 0x0300,
  moveCursor: 0x0301,
} as const;

export const RESPONSE = {
  okNoData: 0x1100,
  okDisplayInfo: 0x1101,
  okEdid: 0x1104,
  errUnspec: 0x1200,
  errOutOfMemory: 0x1201,
  errInvalidScanoutId: 0x1202,
  errInvalidResourceId: 0x1203,
  errInvalidParameter: 0x1205,
} as const;

/** struct virtio_gpu_ctrl_hdr: type, flags, fence_id (64 bits), ctx_id, ring_idx. */
export const HEADER = { bytes: 24, type: 0, flags: 4, fenceId: 8, contextId: 16 } as const;
export const FLAG_FENCE = 1;

/** Bytes of the requests, with their headers. Offsets of their fields are in gpu.ts, where they are read in order. */
export const REQUEST_BYTES = {
  getEdid: 32,
  resourceCreate2d: 40,
  resourceUnref: 32,
  setScanout: 48,
  resourceFlush: 48,
  transferToHost2d: 56,
  resourceAttachBacking: 32,
  resourceDetachBacking: 32,
  cursor: 56,
} as const;

/** struct virtio_gpu_mem_entry: addr (64 bits), length, padding. */
export const MEMORY_ENTRY_BYTES = 16;

/** VIRTIO_GPU_MAX_SCANOUTS modes of 24 bytes: a rectangle, enabled, flags. */
export const DISPLAY_INFO_BYTES = HEADER.bytes + 16 * 24;
/** size, padding, edid. */
export const EDID_RESPONSE_BYTES = HEADER.bytes + 8 + 1024;

export const CURSOR_SIDE = 64;
