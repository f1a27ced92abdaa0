// Channels of a domain that moves. What is in their memory is the members' together, so it goes along while none of them runs: the others do not run at
// all, or all of them stand still, at both nodes, until the last one has moved.

import { isDeepStrictEqual } from "node:util";
import type { NodeChannels } from "../../contract/node.ts";
import type { Channel } from "../../hypervisor/channels/channel.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { isSame } from "../../images/bytes.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { Message } from "./channel.ts";
import { decodePiece, type Offer, Unexpected } from "./messages.ts";

type Offered = Offer["channels"];

export function offeredChannels({ channels }: Domain): Offered {
  return channels.map(({ place: { channel } }) => offeredAs(channel));
}

const offeredAs = ({ config: { name, bytes, members } }: Channel): Offered[number] => ({
  ...{ name, size: bytes, members: members.map(({ domain, readOnly }) => ({ domain, readOnly })) },
});

/** @param paused it stands still, and is to do so where it goes. @throws BadInput when another member runs, or may go on without it. */
export function checkOthersRest(hypervisor: Hypervisor, { config, channels }: Domain, paused: boolean): void {
  for (const { place } of channels) {
    const others = place.channel.others(config.name);
    const runs = others.find((other) => hypervisor.status(other) !== "paused") ?? (paused ? undefined : others[0]);
    if (runs !== undefined)
      throw new BadInput(
        `${config.name} shares the channel ${place.channel.config.name} with ${runs}, which is here: stop ${runs}, or pause both, migrate both and resume them there`,
      );
  }
}

/** What is in them at this moment, when `checkOthersRest` holds. @throws BadInput when another member does not stand still yet. */
export function channelContents(hypervisor: Hypervisor, { config, channels }: Domain): Uint8Array[] {
  return channels.map(({ place: { channel } }) => {
    for (const other of channel.others(config.name)) hypervisor.still(other);
    return channel.read(0, channel.config.bytes);
  });
}

/** @throws Unexpected when a domain with these channels cannot come. */
export function checkChannels(hypervisor: Hypervisor, name: string, offered: Offered): void {
  for (const each of offered) {
    const there = hypervisor.channels.find(each.name);
    if (!each.members.some(({ domain }) => domain === name)) throw new Unexpected("a channel is not the domain's");
    if (there !== undefined && !isDeepStrictEqual(offeredAs(there), each))
      throw new Unexpected(`the node has a channel ${each.name} of another size or with other members`);
    const runs = there?.others(name).find((other) => hypervisor.status(other) !== "paused");
    if (runs !== undefined)
      throw new Unexpected(
        `${runs}, with which it shares the channel ${each.name}, runs there: pause both, and resume them when both are there`,
      );
  }
  const more = hypervisor.channels
    .placesOf(name)
    .find(({ channel }) => !offered.some((each) => each.name === channel.config.name));
  if (more !== undefined)
    throw new Unexpected(`the node has a channel ${more.channel.config.name} with a member ${name}, which it is not`);
}

/** Bytes of memory that those take which are not there yet. */
export const newChannelBytes = (hypervisor: Hypervisor, offered: Offered): number =>
  offered.reduce((sum, { name, size }) => sum + (hypervisor.channels.find(name) === undefined ? size : 0), 0);

/** The same at the destination. */
export class ArrivingChannels {
  readonly #hypervisor: Hypervisor;
  readonly #name: string;
  readonly #offered: Offered;
  readonly #made: string[] = [];
  readonly #contents: Uint8Array[];

  /** After `checkChannels`: makes those that are missing. @throws BadInput */
  constructor(hypervisor: Hypervisor, name: string, offered: Offered) {
    this.#hypervisor = hypervisor;
    this.#name = name;
    this.#offered = offered;
    this.#contents = offered.map(({ size }) => new Uint8Array(size));
    try {
      for (const { name: channel, size, members } of offered) {
        if (hypervisor.channels.find(channel) !== undefined) continue;
        hypervisor.channels.define({ name: channel, bytes: size, members });
        this.#made.push(channel);
      }
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  /** As a node's file has them. */
  get given(): NodeChannels {
    return Object.fromEntries(this.#offered.map(({ name, ...channel }) => [name, channel]));
  }

  /** @throws Unexpected */
  take(message: Message): void {
    const { index, offset, content } = decodePiece(message);
    const whole = this.#contents[index];
    if (whole === undefined || offset + content.length > whole.length)
      throw new Unexpected("a piece of a channel is at the wrong place");
    whole.set(content, offset);
  }

  /** All of it has come. @param paused it is to stay paused. @throws Unexpected when it does not fit to the members that are here. */
  check(paused: boolean): void {
    for (const [index, { name }] of this.#offered.entries()) {
      const channel = this.#hypervisor.channels.find(name);
      const others = channel?.others(this.#name) ?? [];
      if (channel === undefined || others.length === 0) continue;
      if (!paused || others.some((other) => this.#hypervisor.status(other) !== "paused"))
        throw new Unexpected(
          `${others.join(", ")} and ${this.#name} share the channel ${name}: pause them, and resume them when all are there`,
        );
      if (!isSame(channel.read(0, channel.config.bytes), this.#contents[index] as Uint8Array))
        throw new Unexpected(
          `what is in the channel ${name} is not the same there any more, where ${others.join(", ")} went on alone: stop one of them`,
        );
    }
  }

  /** The domain is about to go on here. After `check`, and since then no other member has been let go on. */
  settle(): void {
    for (const [index, { name }] of this.#offered.entries()) {
      const channel = this.#hypervisor.channels.find(name);
      if (channel?.others(this.#name).length === 0) channel.write(0, this.#contents[index] as Uint8Array);
    }
    this.#contents.length = 0;
  }

  /** It does not come: those that were made for it are gone, unless another has come for them. */
  drop(): void {
    const { channels } = this.#hypervisor;
    for (const name of this.#made) if (channels.find(name)?.inUse === false) channels.remove(name);
    this.#made.length = 0;
  }
}
