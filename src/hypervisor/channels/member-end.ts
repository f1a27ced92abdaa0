import type { AccessSize, Device, Line } from "../../bus/device.ts";
import type { ChannelDescription } from "../../machine/device-tree.ts";
import { DOORBELL_STRIDE, MAP, SPI } from "../../machine/memory-map.ts";
import { PAGE_BYTES } from "../machine-memory.ts";
import type { Stage2Space } from "../stage2-space.ts";
import type { Channel, Rang } from "./channel.ts";

/** Registers of a doorbell's page, 32 bits each. */
export const DOORBELL = {
  /** Write: the number of the member to be rung, or EVERYBODY. */
  ring: 0x0,
  /** Read: a bit for each member that has rung since it was read last; the interrupt ends. */
  take: 0x4,
  /** Read: the domain's own number. */
  member: 0x8,
  /** Read: how many members there are. */
  members: 0xc,
} as const;
/** All others that run. */
export const EVERYBODY = 0xffff_ffff;

/** Where a member finds its channel. */
export interface MemberPlace {
  readonly channel: Channel;
  /** The member's number in the channel. */
  readonly member: number;
  /** The channel's number in the domain: from 0 on. */
  readonly index: number;
  /** IPA of the channel's memory. */
  readonly base: number;
}

/** A domain's end of a channel: the channel's memory in its address space, and its doorbell, an SPI and a page of registers. */
export class MemberEnd implements Device {
  readonly size = PAGE_BYTES;
  readonly place: MemberPlace;
  readonly #line: Line;
  /** A bit for each member that has rung since `take`. */
  #pending = 0;

  constructor(place: MemberPlace, line: (spi: number) => Line) {
    this.place = place;
    this.#line = line(this.spi);
  }

  get name(): string {
    return this.place.channel.config.name;
  }

  get readOnly(): boolean {
    return this.place.channel.config.members[this.place.member]?.readOnly !== false;
  }

  get spi(): number {
    return SPI.channel0 + this.place.index;
  }

  get doorbell(): number {
    return MAP.doorbells.base + this.place.index * DOORBELL_STRIDE;
  }

  /** At the domain's power-on: its memory is there, and nobody has rung. False: there is no memory for tables. */
  connect(space: Stage2Space): boolean {
    const { channel, member, base } = this.place;
    for (const [i, frame] of channel.frames.entries())
      if (!space.lend(base / PAGE_BYTES + i, frame, !this.readOnly)) return false;
    channel.attach(member, this);
    return true;
  }

  disconnect(): void {
    this.place.channel.detach(this.place.member, this);
  }

  describe(): ChannelDescription {
    const { channel, member, index, base } = this.place;
    const { name, bytes, members } = channel.config;
    return {
      ...{ name, index, member, members: members.map(({ domain }) => domain), readOnly: this.readOnly },
      memory: { base, size: bytes },
      doorbell: { base: this.doorbell, size: this.size },
      spi: this.spi,
    };
  }

  ring(to: number): Rang {
    const { channel, member } = this.place;
    if (to !== EVERYBODY) return channel.ring(member, to);
    channel.ringOthers(member);
    return "rang";
  }

  /** Another member has rung: the interrupt is there until `take`, however often they ring. */
  rung(from: number): void {
    this.#pending |= 1 << from;
    this.#line.set(true);
  }

  take(): number {
    const pending = this.#pending;
    this.#pending = 0;
    this.#line.set(false);
    return pending;
  }

  /** Who has rung since `take`, a bit for each. */
  get pending(): number {
    return this.#pending >>> 0;
  }

  /** Of a domain that goes on from what was saved, whose interrupt controller has the line's level. */
  continueWith(pending: number): void {
    this.#pending = pending;
  }

  // Of Device.

  read(offset: number, bytes: AccessSize): number {
    if (bytes !== 4) return 0;
    switch (offset) {
      case DOORBELL.take:
        return this.take();
      case DOORBELL.member:
        return this.place.member;
      case DOORBELL.members:
        return this.place.channel.config.members.length;
      default:
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (bytes === 4 && offset === DOORBELL.ring) this.ring(value);
  }

  reset(): void {
    this.take();
  }
}
