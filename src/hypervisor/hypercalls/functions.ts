// Atoll's own calls, as docs/hypercalls.md has them: this is the one place where their numbers and registers are.

import { SMC64 } from "../../machine/firmware/calls.ts";

/** A register of a call, X0 to X6, and what is in it. */
export type RegisterUse = readonly [register: number, meaning: string];

export interface Hypercall {
  /** SMC Calling Convention (DEN0028): a fast call, of the 32-bit or 64-bit convention, of OEN 6, vendor-specific hypervisor services. */
  readonly id: number;
  readonly does: string;
  readonly arguments: readonly RegisterUse[];
  readonly results: readonly RegisterUse[];
  /** The version that it came with. */
  readonly since: string;
}

/** Major in bits 31:16, and minor: a guest made for a major version works with each minor one from its own on. */
export const VERSION = { major: 1, minor: 0 } as const;

/** Bits of VERSION's X1: what there is. */
export const FEATURES = { console: 1 << 0, identity: 1 << 1, channels: 1 << 2, scheduling: 1 << 3 } as const;

/** f4f1ab31-0d4c-4f5e-9a0e-3c6f0d6b7a11, as four words of its bytes in order, the first byte lowest. */
export const UID = [0x31abf1f4, 0x5e4f4c0d, 0x6f3c0e9a, 0x117a6b0d] as const;

/** Of X0; others are those of SMCCC. */
export const RESULT = { SUCCESS: 0, NOT_SUPPORTED: -1, INVALID_PARAMETER: -3, ABSENT: -4 } as const;

/** The first of 256 numbers. KVM and pKVM use those of the same owner from 0 on, and SMCCC has those from 0xff00 on. */
export const FIRST = 0x8600_4100;

/** Bytes in three registers, X1 to X3, the first byte lowest. */
export const TEXT_BYTES = 24;
/** Bytes that CONSOLE_WRITE takes in X2 to X6. */
export const CONSOLE_BYTES = 40;

const STATUS: RegisterUse = [0, "SUCCESS or INVALID_PARAMETER"];
const text = (what: string): readonly RegisterUse[] => [
  [0, `bytes of ${what} in all, or INVALID_PARAMETER`],
  [1, "8 of them from the offset on, the first lowest; zeroes behind the end"],
  [2, "the next 8"],
  [3, "the next 8"],
];
const CHANNEL: RegisterUse = [1, "channel: its number in this domain, from 0 on"];

export const HYPERCALLS = {
  UID: {
    id: FIRST,
    does: "says that these calls are there: always the same",
    arguments: [],
    results: UID.map((word, n) => [n, `0x${word.toString(16).padStart(8, "0")}`] as const),
    since: "1.0",
  },
  VERSION: {
    id: FIRST + 1,
    does: "version and features",
    arguments: [],
    results: [
      [0, "major version in bits 31:16, minor in 15:0"],
      [1, "features: bit 0 console, 1 identity, 2 channels, 3 scheduling"],
    ],
    since: "1.0",
  },
  CONSOLE_WRITE: {
    id: SMC64 + FIRST + 2,
    does: "writes to the domain's console, without a driver; for what goes wrong early",
    arguments: [
      [1, `how many bytes, 1 to ${CONSOLE_BYTES}`],
      [2, "the first 8 of them, the first lowest"],
      ...[3, 4, 5, 6].map((n) => [n, "the next 8"] as const),
    ],
    results: [STATUS],
    since: "1.0",
  },
  NAME: {
    id: SMC64 + FIRST + 3,
    does: "the domain's own name, ASCII",
    arguments: [[1, "offset in bytes"]],
    results: text("the name"),
    since: "1.0",
  },
  IDENTITY: {
    id: SMC64 + FIRST + 4,
    does: "which copy of the domain this is: a fork has another identity, as in its vmgenid page",
    arguments: [],
    results: [
      [0, "SUCCESS"],
      [1, "bytes 0 to 7 of the generation ID, the first lowest"],
      [2, "bytes 8 to 15"],
    ],
    since: "1.0",
  },
  CHANNELS: {
    id: FIRST + 0x10,
    does: "how many channels the domain is a member of",
    arguments: [],
    results: [[0, "their number"]],
    since: "1.0",
  },
  CHANNEL_NAME: {
    id: SMC64 + FIRST + 0x11,
    does: "a channel's name, ASCII",
    arguments: [CHANNEL, [2, "offset in bytes"]],
    results: text("the name"),
    since: "1.0",
  },
  CHANNEL_MEMORY: {
    id: SMC64 + FIRST + 0x12,
    does: "where a channel's memory is",
    arguments: [CHANNEL],
    results: [STATUS, [1, "its address"], [2, "its bytes"], [3, "bit 0: it may be written"]],
    since: "1.0",
  },
  CHANNEL_DOORBELL: {
    id: SMC64 + FIRST + 0x13,
    does: "a channel's doorbell",
    arguments: [CHANNEL],
    results: [
      STATUS,
      [1, "INTID of the interrupt, level-sensitive"],
      [2, "address of the page of registers"],
      [3, "bits 31:16 how many members there are, 15:0 the domain's own number among them"],
    ],
    since: "1.0",
  },
  MEMBER_NAME: {
    id: SMC64 + FIRST + 0x14,
    does: "the name of a channel's member, ASCII",
    arguments: [CHANNEL, [2, "member: its number"], [3, "offset in bytes"]],
    results: text("the name"),
    since: "1.0",
  },
  RING: {
    id: FIRST + 0x15,
    does: "rings a member's doorbell",
    arguments: [CHANNEL, [2, "member: its number, not the domain's own; 0xffffffff: all others that run"]],
    results: [[0, "SUCCESS, INVALID_PARAMETER, or ABSENT: it does not run"]],
    since: "1.0",
  },
  TAKE: {
    id: FIRST + 0x16,
    does: "who has rung since the last call; the doorbell's interrupt ends, until somebody rings again",
    arguments: [CHANNEL],
    results: [STATUS, [1, "a bit for each member that has rung"]],
    since: "1.0",
  },
  YIELD: {
    id: FIRST + 0x20,
    does: "lets other domains run before this CPU goes on",
    arguments: [],
    results: [[0, "SUCCESS"]],
    since: "1.0",
  },
  TIMES: {
    id: SMC64 + FIRST + 0x21,
    does: "how long this CPU has run, and how long it wanted to and could not, since the domain was started",
    arguments: [],
    results: [
      [0, "SUCCESS"],
      [1, "nanoseconds that it ran"],
      [2, "nanoseconds that it waited for a physical CPU"],
    ],
    since: "1.0",
  },
} as const satisfies Readonly<Record<string, Hypercall>>;

export type HypercallName = keyof typeof HYPERCALLS;
