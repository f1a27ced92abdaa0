// Registers, keys and control bits of the firmware configuration device (QEMU's docs/specs/fw_cfg).

/** Eight bytes; every access reads on in the item. */
export const DATA = 0x00;
export const DATA_END = 0x08;
/** 16 bits, big-endian. */
export const SELECTOR = 0x08;
/** 64 bits, big-endian: writing the low half starts a transfer. */
export const DMA_HIGH = 0x10;
export const DMA_LOW = 0x14;
export const FW_CFG_SIZE = 0x18;

export const KEY = {
  signature: 0x00,
  id: 0x01,
  uuid: 0x02,
  ramSize: 0x03,
  noGraphic: 0x04,
  cpus: 0x05,
  kernelAddress: 0x07,
  kernelSize: 0x08,
  initrdAddress: 0x0a,
  initrdSize: 0x0b,
  bootMenu: 0x0e,
  maxCpus: 0x0f,
  kernelData: 0x11,
  initrdData: 0x12,
  commandLineAddress: 0x13,
  commandLineSize: 0x14,
  commandLineData: 0x15,
  fileDirectory: 0x19,
  firstFile: 0x20,
} as const;

/** Bit of a key that says it is for writing, which long has no meaning. */
export const KEY_WRITE_CHANNEL = 0x4000;

/** Bits of the id item: traditional interface, DMA. */
export const ID_FEATURES = 0b11;

export const DMA_ERROR = 1 << 0;
export const DMA_READ = 1 << 1;
export const DMA_SKIP = 1 << 2;
/** The key is in bits 31:16. */
export const DMA_SELECT = 1 << 3;
export const DMA_WRITE = 1 << 4;
/** Bytes of the structure that describes a transfer: control, length, address (64 bits), all big-endian. */
export const DMA_STRUCTURE = 16;

/** File directory: a count, then for each file its size, key, and name ended by a zero. */
export const FILE_ENTRY = 64;
export const FILE_NAME_AT = 8;
export const FILE_NAME_MAX = 55;

/** Files that a directory is taken to have at most, in a snapshot. */
export const FILES_MAX = 256;
