// A machine as the fragment of this page's address: what a link boots. Only what can be in a link is in it: URLs, and numbers.

import type { MachineConfiguration } from "../hosts/browser/index.ts";

const URLS = ["kernel", "initrd", "bios", "dtb"] as const;
const MOST_DISKS = 8;

/** What a link of this page asks for; undefined where it asks for nothing. @throws Error in words */
export function readLink(fragment: string): MachineConfiguration | undefined {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  if ([...given.keys()].length === 0) return undefined;
  const known = [
    ...URLS,
    "disk",
    "append",
    "memory",
    "cpus",
    "virtualization",
    "secure",
    "display",
    "boot",
    "relay",
    "switch",
  ];
  const unknown = [...given.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Error(`the link has "${unknown}", which is none of ${known.join(", ")}`);
  const text = (key: string): string | undefined => given.get(key) ?? undefined;
  const files = Object.fromEntries(
    URLS.flatMap((key) => (text(key) ? [[key, httpUrl(key, text(key) as string)]] : [])),
  );
  const relay = text("relay");
  const name = text("switch");
  return {
    ...files,
    ...(given.has("append") && { append: text("append") }),
    ...(given.has("memory") && { memory: text("memory") as string }),
    ...(given.has("cpus") && { cpus: Number(text("cpus")) }),
    machine: { virtualization: given.has("virtualization"), secure: given.has("secure") },
    // What a link's guest writes is gone with it: a link is not to change what is kept here.
    disk: given
      .getAll("disk")
      .slice(0, MOST_DISKS)
      .map((url) => ({ file: httpUrl("disk", url), snapshot: true })),
    ...(given.has("display") && { display: {} }),
    ...(given.has("boot") && { boot: true }),
    ...(relay !== undefined && { net: { kind: "relay", url: relay } }),
    ...(name !== undefined && { net: { kind: "switch", name } }),
  };
}

function httpUrl(key: string, text: string): string {
  const url = new URL(text, document.baseURI);
  if (/^https?:$/.test(url.protocol)) return url.href;
  throw new Error(`the link's ${key} is no http or https address`);
}

/** The link that boots this; undefined where it has files of this computer. */
export function linkOf(configuration: MachineConfiguration): string | undefined {
  const link = new URLSearchParams();
  for (const key of URLS) {
    const value = configuration[key];
    if (value === undefined) continue;
    if (typeof value !== "string") return undefined;
    link.set(key, value);
  }
  for (const { file } of configuration.disk ?? []) {
    if (typeof file !== "string") return undefined;
    link.append("disk", file);
  }
  if (configuration.share?.length) return undefined;
  const { append, memory, cpus, machine } = configuration;
  const [net, another] = [configuration.net].flat();
  // A link has room for one.
  if (another !== undefined) return undefined;
  if (append !== undefined) link.set("append", append);
  if (memory !== undefined) link.set("memory", typeof memory === "number" ? `${memory / 2 ** 20}M` : memory);
  link.set("cpus", String(cpus ?? 1));
  if (machine?.virtualization) link.set("virtualization", "1");
  if (machine?.secure) link.set("secure", "1");
  if (configuration.display) link.set("display", "1");
  if (configuration.boot) link.set("boot", "1");
  if (net?.kind === "switch") link.set("switch", net.name);
  // Not its token: whoever has the link gets no more than the page's address.
  if (net?.kind === "relay") link.set("relay", net.url);
  const url = new URL(document.baseURI);
  url.hash = link.toString();
  return url.href;
}
