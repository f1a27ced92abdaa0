// What a domain's guest sees of its definition. Who was saved goes on with the same, whatever else is defined otherwise since.

import { isDeepStrictEqual } from "node:util";
import type { Net, NodeNet } from "../../contract/definition.ts";
import type { DomainDefinition } from "../../contract/domain.ts";

/** By the fields of the definition. Files that it boots from count: a reset boots from them again. */
function guestView(definition: DomainDefinition): Readonly<Record<string, unknown>> {
  const { kernel, initrd, append, dtb, load, memory, cpus, balloon, disk, net, share, vsock, serialPort } = definition;
  return {
    ...{ kernel, initrd, append, dtb, load, memory, cpus, balloon, disk },
    net: net.map(plug),
    share: share.map(({ tag, readOnly }) => ({ tag, readOnly })),
    vsock: vsock?.cid,
    serialPort: serialPort.map(({ name }) => name),
    display: definition.display !== undefined,
    watchdog: definition.watchdog !== undefined,
  };
}

/** What an interface is plugged into, and its address. */
function plug(net: Net | NodeNet): unknown {
  if (net.kind === "none") return net;
  const place = "name" in net ? net.name : "device" in net ? net.device : undefined;
  return { kind: net.kind, mac: net.mac, place };
}

/** @returns the fields in which the guest sees another domain. */
export function seenDifferences(before: DomainDefinition, now: DomainDefinition): string[] {
  const [old, own] = [before, now].map((each) => JSON.parse(JSON.stringify(guestView(each))));
  return Object.keys(guestView(now)).filter((field) => !isDeepStrictEqual(old[field], own[field]));
}
