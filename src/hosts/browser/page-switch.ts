// Machines of one site on one network: each frame is a message of a BroadcastChannel, and each machine keeps those that are for it.

import { HEADER_BYTES } from "../../network/frame-message.ts";
import type { NetworkLink } from "../../network/link.ts";
import { MessageLink } from "../../network/message-link.ts";

export function openPageSwitch(
  name: string,
  mac: Uint8Array,
  wake: () => void,
): { readonly links: readonly NetworkLink[]; close(): void } {
  const channel = new BroadcastChannel(`atoll-switch-${name}`);
  const link = new MessageLink(mac, (message) => channel.postMessage(message), wake);
  channel.onmessage = ({ data }) => {
    if (data instanceof Uint8Array && isFor(mac, data)) link.deliver(data);
  };
  return { links: [link], close: () => channel.close() };
}

/** Group addresses are for everybody. */
function isFor(mac: Uint8Array, message: Uint8Array): boolean {
  const at = HEADER_BYTES;
  return ((message[at] ?? 0) & 1) !== 0 || mac.every((byte, i) => message[at + i] === byte);
}
