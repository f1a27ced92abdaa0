import { utf8 } from "../../base/text.ts";
import type { Call, Results, Service } from "../../machine/firmware/calls.ts";
import type { MemberEnd } from "../channels/member-end.ts";
import type { Domain } from "../domain.ts";
import {
  CONSOLE_BYTES,
  FEATURES,
  HYPERCALLS,
  type HypercallName,
  RESULT,
  TEXT_BYTES,
  UID,
  VERSION,
} from "./functions.ts";

type Half = readonly [low: number, high: number];
type Answer = (call: Call) => Results;

const INVALID: Results = [RESULT.INVALID_PARAMETER];
const low = (value: number): Half => [value | 0, 0];
const wide = (value: number): Half => [(value % 2 ** 32) | 0, Math.floor(value / 2 ** 32) | 0];

/** An argument as a number; -1: it is more than any that is meant. */
function argument(call: Call, n: number): number {
  const [lowHalf, highHalf] = call.arg(n);
  return highHalf === 0 ? lowHalf : -1;
}

/** Up to TEXT_BYTES of a text from an offset on, in three registers, after its length in all. */
function textFrom(bytes: Uint8Array, offset: number): Results {
  if (offset < 0 || offset > bytes.length) return INVALID;
  const piece = new DataView(new ArrayBuffer(TEXT_BYTES));
  for (const [i, byte] of bytes.subarray(offset, offset + TEXT_BYTES).entries()) piece.setUint8(i, byte);
  const register = (n: number): Half => [piece.getInt32(8 * n, true), piece.getInt32(8 * n + 4, true)];
  return [low(bytes.length), register(0), register(1), register(2)];
}

/** Bytes in X2 to X6. */
function bytesOf(call: Call, count: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(CONSOLE_BYTES));
  for (let n = 2; n <= 6; n++) {
    const [lowHalf, highHalf] = call.arg(n);
    bytes.setUint32(8 * (n - 2), lowHalf, true);
    bytes.setUint32(8 * (n - 2) + 4, highHalf, true);
  }
  return new Uint8Array(bytes.buffer, 0, count);
}

export interface SchedulingPort {
  /** Nanoseconds of the machine's clock. */
  readonly now: () => number;
  /** The calling vCPU lets others run, once it is left. */
  readonly yield: () => void;
}

/** Atoll's own calls, for a domain. */
export function hypercalls(domain: Domain, scheduling: SchedulingPort): Service {
  const name = utf8(domain.config.name);
  const onChannel =
    (answer: (end: MemberEnd, call: Call) => Results): Answer =>
    (call) => {
      const end = domain.channels[argument(call, 1)];
      return end === undefined ? INVALID : answer(end, call);
    };
  const answers: Readonly<Record<HypercallName, Answer>> = {
    UID: () => UID.map(low),
    VERSION: () => {
      const features = Object.values(FEATURES).reduce((all, bit) => all | bit, 0);
      return [low((VERSION.major << 16) | VERSION.minor), low(features), 0, 0];
    },
    CONSOLE_WRITE: (call) => {
      const count = argument(call, 1);
      if (!(count >= 1 && count <= CONSOLE_BYTES)) return INVALID;
      domain.config.serial.write(bytesOf(call, count));
      return [RESULT.SUCCESS];
    },
    NAME: (call) => textFrom(name, argument(call, 1)),
    IDENTITY: () => {
      const id = new DataView(Uint8Array.from(domain.generation.id ?? new Uint8Array(16)).buffer);
      const register = (n: number): Half => [id.getInt32(8 * n, true), id.getInt32(8 * n + 4, true)];
      return [RESULT.SUCCESS, register(0), register(1)];
    },
    CHANNELS: () => [domain.channels.length],
    CHANNEL_NAME: onChannel((end, call) => textFrom(utf8(end.name), argument(call, 2))),
    CHANNEL_MEMORY: onChannel(({ place, readOnly }) => {
      const { bytes } = place.channel.config;
      return [RESULT.SUCCESS, wide(place.base), wide(bytes), readOnly ? 0 : 1];
    }),
    CHANNEL_DOORBELL: onChannel(({ place, spi, doorbell }) => {
      const { members } = place.channel.config;
      return [RESULT.SUCCESS, spi + 32, wide(doorbell), low((members.length << 16) | place.member)];
    }),
    MEMBER_NAME: onChannel(({ place }, call) => {
      const member = place.channel.config.members[argument(call, 2)];
      return member === undefined ? INVALID : textFrom(utf8(member.domain), argument(call, 3));
    }),
    RING: onChannel((end, call) => {
      const [to] = call.arg(2);
      const rang = end.ring(to);
      if (rang === "nobody") return INVALID;
      return [rang === "absent" ? RESULT.ABSENT : RESULT.SUCCESS];
    }),
    TAKE: onChannel((end) => [RESULT.SUCCESS, low(end.take())]),
    YIELD: () => {
      scheduling.yield();
      return [RESULT.SUCCESS];
    },
    TIMES: (call) => {
      const vcpu = domain.vcpus[call.cpuIndex];
      return [RESULT.SUCCESS, wide(Math.floor(vcpu?.ran(scheduling.now()) ?? 0)), wide(Math.floor(vcpu?.stolen ?? 0))];
    },
  };
  return new Map(Object.entries(answers).map(([key, answer]) => [HYPERCALLS[key as HypercallName].id, answer]));
}
