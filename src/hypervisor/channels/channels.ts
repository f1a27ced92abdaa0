import { MAX_CHANNEL, MAX_CHANNEL_MEMBERS, MIN_CHANNEL } from "../../contract/limits.ts";
import { MAP } from "../../machine/memory-map.ts";
import { BadInput } from "../../machine/runnable.ts";
import { FIRST_CHANNEL, type FrameAllocator, NumberAllocator } from "../allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "../machine-memory.ts";
import { Channel, type ChannelConfig } from "./channel.ts";
import type { MemberPlace } from "./member-end.ts";

/** Of one machine. */
const MOST_CHANNELS = 1024;
/** Of one domain: as many SPIs and doorbells as there are. */
const MOST_OF_A_DOMAIN = 32;
/** Channels' memory begins at multiples of it in a domain's address space: one table of level 3 is for no two of them. */
const ALIGNMENT = 2 * 2 ** 20;

/** The channels between the domains of a machine. */
export class Channels {
  readonly #memory: MachineMemory;
  readonly #frames: FrameAllocator;
  readonly #channels = new Map<string, Channel>();
  readonly #owners = new NumberAllocator(FIRST_CHANNEL, FIRST_CHANNEL + MOST_CHANNELS - 1);

  constructor(memory: MachineMemory, frames: FrameAllocator) {
    this.#memory = memory;
    this.#frames = frames;
  }

  /** Their names, in the order of their definition. */
  names(): string[] {
    return [...this.#channels.keys()];
  }

  find(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  /** @throws BadInput when it cannot be. */
  define(config: ChannelConfig): void {
    const { name, bytes, members } = config;
    if (this.#channels.has(name)) throw new BadInput(`there is a channel ${name} already`);
    if (!(bytes >= MIN_CHANNEL && bytes <= MAX_CHANNEL && bytes % PAGE_BYTES === 0))
      throw new BadInput(`channel ${name}: give 4K to 16M, in whole pages`);
    if (!(members.length >= 2 && members.length <= MAX_CHANNEL_MEMBERS))
      throw new BadInput(`channel ${name}: give 2 to ${MAX_CHANNEL_MEMBERS} members`);
    const names = members.map(({ domain }) => domain);
    if (new Set(names).size < names.length) throw new BadInput(`channel ${name}: each member is one once`);
    for (const domain of names) {
      if (this.placesOf(domain).length >= MOST_OF_A_DOMAIN)
        throw new BadInput(`channel ${name}: ${domain} is a member of ${MOST_OF_A_DOMAIN} channels already`);
    }
    const owner = this.#owners.take();
    if (owner === undefined) throw new BadInput(`there are ${MOST_CHANNELS} channels already`);
    try {
      this.#channels.set(name, new Channel(config, owner, this.#memory, this.#frames));
    } catch (error) {
      this.#owners.release(owner);
      if (error instanceof RangeError) throw new BadInput(`channel ${name}: the machine has no memory left for it`);
      throw error;
    }
  }

  /** @throws BadInput when there is none, or a member runs. */
  remove(name: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) throw new BadInput(`there is no channel ${name}`);
    if (channel.inUse) throw new BadInput(`channel ${name}: a member of it runs`);
    channel.close();
    this.#owners.release(channel.owner);
    this.#channels.delete(name);
  }

  /** Where a domain of that name finds its channels: in the order of their names, whenever each was defined. */
  placesOf(domain: string): MemberPlace[] {
    const places: MemberPlace[] = [];
    let base = MAP.channels.base;
    const inOrder = [...this.#channels.values()].sort((a, b) => (a.config.name < b.config.name ? -1 : 1));
    for (const channel of inOrder) {
      const member = channel.config.members.findIndex((each) => each.domain === domain);
      if (member < 0) continue;
      places.push({ channel, member, index: places.length, base });
      base += Math.ceil(channel.config.bytes / ALIGNMENT) * ALIGNMENT;
    }
    return places;
  }

  /** The other members of a domain's channels that run, or are paused. */
  othersOf(domain: string): string[] {
    return this.placesOf(domain).flatMap(({ channel }) => channel.others(domain));
  }
}
