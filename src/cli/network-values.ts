// How the values of --net and --publish are read. Each function throws BadInput that says what a good value is.

import type { Net, NodeNet, Publication } from "../contract/definition.ts";
import { INTERFACE_NAME, MAC_ADDRESS, SWITCH_NAME } from "../contract/limits.ts";
import { BadInput } from "../machine/runnable.ts";
import { parseAddress } from "../network/address.ts";

/**
 * `user[,dns=ADDRESS[:PORT]][,mac=MAC][,capture=FILE]`, `switch:NAME[,mac=MAC][,capture=FILE]`,
 * `tap:NAME[,vnet-header=on|off][,mac=MAC][,capture=FILE]`, the same with `tap:fd=N` or `tap:/dev/tapN`, or `none`.
 */
export function net(value: string, kinds = "user, switch:NAME, tap:NAME, tap:fd=N, tap:/dev/tapN or none"): Net {
  const [kind = "", ...rest] = value.split(",");
  const name = /^switch:(.*)$/s.exec(kind)?.[1];
  const tap = /^tap(?::(.*))?$/s.exec(kind);
  const own = kind === "user" ? ["dns"] : tap ? ["vnet-header"] : name !== undefined ? [] : undefined;
  const known = own === undefined ? [] : [...own, "mac", "capture"];
  const given = properties(kind, rest, known);
  const { mac, capture } = address(given);
  if (kind === "none") return { kind };
  if (kind === "user")
    return { kind, mac, capture, dns: given.has("dns") ? dnsAddress(given.get("dns") as string) : undefined };
  if (name !== undefined) {
    if (!SWITCH_NAME.test(name)) throw new BadInput("give a switch a name of at most 32 letters, digits, -, _ and .");
    return { kind: "switch", name, mac, capture };
  }
  if (tap) {
    const vnetHeader = given.has("vnet-header") ? onOff(given.get("vnet-header") as string) : undefined;
    return { kind: "tap", device: tapDevice(tap[1] ?? ""), vnetHeader, mac, capture };
  }
  throw new BadInput(`give ${kinds}`);
}

/** As `net`, or `network:NAME[,isolation=GROUP][,any-mac=on][,mac=MAC][,capture=FILE]`: a network of the node, for its domains. */
export function domainNet(value: string): Net | NodeNet {
  const [, name, rest = ""] = /^network:([^,]*)(.*)$/s.exec(value) ?? [];
  if (name === undefined) return net(value, "user, network:NAME, switch:NAME, tap:NAME, tap:/dev/tapN or none");
  if (!SWITCH_NAME.test(name)) throw new BadInput("give a network a name of at most 32 letters, digits, -, _ and .");
  const given = properties(`network:${name}`, rest.split(",").slice(1), ["isolation", "any-mac", "mac", "capture"]);
  const isolation = given.get("isolation");
  const anyMac = given.get("any-mac") ?? "off";
  if (isolation !== undefined && !SWITCH_NAME.test(isolation)) throw new BadInput("give isolation=GROUP");
  if (anyMac !== "on" && anyMac !== "off") throw new BadInput("give any-mac=on");
  return { kind: "network", name, isolation, anyMac: anyMac === "on", ...address(given) };
}

/** The properties behind a kind, each once. */
function properties(kind: string, given: readonly string[], known: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const property of given) {
    const [, key = "", text = ""] = /^([^=]*)=?(.*)$/s.exec(property) ?? [];
    if (!known.includes(key) || found.has(key)) throw new BadInput(`after ${kind}, ${advice(known)}`);
    found.set(key, text);
  }
  return found;
}

function address(given: ReadonlyMap<string, string>): { mac: string | undefined; capture: string | undefined } {
  const [mac, capture] = [given.get("mac"), given.get("capture")];
  if (capture === "") throw new BadInput("give capture=FILE");
  return { mac: mac === undefined ? undefined : macAddress(mac), capture };
}

function advice(known: readonly string[]): string {
  return known.length === 0 ? "there are no properties" : `give ${known.map((key) => `${key}=...`).join(" or ")}, once`;
}

function tapDevice(text: string): number | string {
  const [, descriptor] = /^fd=(\d{1,7})$/.exec(text) ?? [];
  if (descriptor !== undefined) return Number(descriptor);
  if (text.startsWith("/") || INTERFACE_NAME.test(text)) return text;
  throw new BadInput(
    "give tap:NAME, an interface, tap:fd=N, N being a TAP device that is open, or tap:/dev/tapN; docs/network.md says how",
  );
}

function onOff(text: string): boolean {
  if (text !== "on" && text !== "off") throw new BadInput("give vnet-header=on or vnet-header=off");
  return text === "on";
}

function macAddress(text: string): string {
  const mac = text.toLowerCase();
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) throw new BadInput("give mac=52:54:00:12:34:56 or alike");
  if (!MAC_ADDRESS.test(mac)) throw new BadInput("this mac is a group's: give one whose first byte is even");
  return mac;
}

function dnsAddress(text: string): { address: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  const port = Number(digits ?? 53);
  if (parseAddress(address) === undefined || !isPort(port)) throw new BadInput("give dns=ADDRESS or dns=ADDRESS:PORT");
  return { address, port };
}

/** `[ADDRESS:]HOST-PORT:GUEST-PORT[/tcp|/udp]`; without an address: the loopback interface. */
export function publication(value: string): Publication {
  const pattern = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/;
  const [, bracketed, plain, host, guest, protocol] = pattern.exec(value) ?? [];
  const address = bracketed ?? plain ?? "127.0.0.1";
  const [port, guestPort] = [Number(host), Number(guest)];
  if (host === undefined || parseAddress(address) === undefined || !isPort(port) || !isPort(guestPort)) {
    throw new BadInput("give [ADDRESS:]PORT:GUEST-PORT[/udp], such as 8080:80 or 0.0.0.0:5353:53/udp");
  }
  return { protocol: protocol === "udp" ? "udp" : "tcp", address, port, guestPort };
}

function isPort(port: number): boolean {
  return port > 0 && port < 65536;
}
