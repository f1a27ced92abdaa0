// What the values of a machine's definition may be: facts that schemas, options and the machine itself share.

/** Bytes of RAM. The most is what one 32-bit WebAssembly memory has room for beside flash, PE blocks and decoded pages. */
export const MIN_MEMORY = 2 ** 20;
export const MAX_MEMORY = 3 * 2 ** 30;
export const DEFAULT_MEMORY = 512 * 2 ** 20;

/** By version of the GIC: as many CPU interfaces as a GICv2 has, and as the GICv3's redistributor window and PE blocks comfortably hold. */
export const MAX_CPUS = { 2: 8, 3: 64 } as const;

export const CPU_MODELS = ["cortex-a72", "max"] as const;

/** Formats of disk images. */
export const DISK_FORMATS = ["raw", "qcow2", "vmdk", "vdi", "vhdx"] as const;

/** Bytes of a new disk, in whole sectors. */
export const MIN_DISK = 512;
export const MAX_DISK = 2 ** 52;

/** Printable ASCII: virtio 1.2, 5.2.6.1. */
export const DISK_SERIAL = /^[!-~]{1,20}$/;

/** Bytes of a shared folder's tag; clients have little use for longer ones. */
export const TAG_MAX = 255;

/** Context identifiers that a guest may have: others are reserved (virtio 1.2, 5.10.4). */
export const CID_MIN = 3;
export const CID_MAX = 0xffff_fffe;

/** Network interfaces of a machine. */
export const MAX_NETWORKS = 8;
/** Of a channel between domains: bytes of memory, and members. */
export const MIN_CHANNEL = 4096;
export const MAX_CHANNEL = 16 * 2 ** 20;
export const MAX_CHANNEL_MEMBERS = 16;
export const SERIAL_PORT_NAME = /^[\w.-]{1,64}$/;
/** Of an interface of Linux's: what dev_valid_name() takes, without what means something on command lines. */
export const INTERFACE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
export const SWITCH_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
/** Of one station: the group bit of the first byte is 0. */
export const MAC_ADDRESS = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;

/** RFC 6143, 7.2.2: of a longer one no more would count. */
export const VNC_PASSWORD = /^[ -~]{1,8}$/;

/** A machine's name is a host name, too (RFC 1123, 2.1), in lower case. */
export const MACHINE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** What is done when a guest did not refresh its watchdog in time. */
export const WATCHDOG_ACTIONS = ["restart", "fail", "pause"] as const;
export type WatchdogAction = (typeof WATCHDOG_ACTIONS)[number];

/** Seconds that a guest has to shut down before it is stopped by force. */
export const STOP_TIMEOUT = 60;
