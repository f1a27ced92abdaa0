import type { NamedBytes } from "../../machine/runnable.ts";
import type { Source } from "./config.ts";
import { AtollError } from "./errors.ts";

type Fetched = Exclude<Source, { opfs: string }>;

/** What a source is called in messages. */
export function nameOf(source: Source): string {
  if (typeof source === "string") return source;
  if (source instanceof URL) return source.href;
  if ("opfs" in source) return source.opfs;
  if (typeof File !== "undefined" && source instanceof File) return source.name;
  return source instanceof Blob ? "a Blob" : "bytes in memory";
}

/** The whole of a source. @throws AtollError "load" */
export async function fetchBytes(source: Fetched): Promise<NamedBytes> {
  const name = nameOf(source);
  if (source instanceof Uint8Array) return { name, bytes: source };
  if (source instanceof ArrayBuffer) return { name, bytes: new Uint8Array(source) };
  if (source instanceof Blob) {
    try {
      return { name, bytes: new Uint8Array(await source.arrayBuffer()) };
    } catch {
      throw new AtollError("load", `cannot read ${name}: it has changed or is gone`);
    }
  }
  let response: Response;
  try {
    response = await fetch(source);
  } catch {
    throw new AtollError("load", `cannot load ${name}: the network failed, or its server allows no other site's pages`);
  }
  if (!response.ok)
    throw new AtollError("load", `cannot load ${name}: ${response.status} ${response.statusText}`.trim());
  try {
    return { name, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch {
    throw new AtollError("load", `cannot load ${name}: the connection was lost`);
  }
}
