import type { TcpAddress } from "../hosts/node/listen.ts";

/** `[HOST:]PORT`, IPv6 addresses in brackets; without a host, or with an empty one: the loopback interface. Undefined: it is none. */
export function parseTcpAddress(text: string): TcpAddress | undefined {
  const [, bracketed, name, digits] = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]]*)):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits ?? -1);
  if (!(port >= 0 && port < 65536)) return undefined;
  return { host: bracketed || name || "127.0.0.1", port };
}
