// The snapshots of the booted embedded guest that come with the package (tools/booted-guest.ts makes them): what a machine starts from that is
// the usual one. The guest waits in it for a line with the time of day and the size of the terminal; it then takes new random numbers of the
// host's, and greets (guests/embedded/root/init).

import { utf8 } from "../../base/text.ts";
import type { SerialPort } from "../../bus/device.ts";
import type { Machine } from "../../machine/machine.ts";
import type { MachineParts } from "../../machine/runnable.ts";
import { FirstLine } from "./first-line.ts";

export type BootedGuest = "build/guest.snapshot" | "build/guest-alone.snapshot";

/** What is said of a machine that starts so, where there is somebody to say it to. */
export const STARTED_FROM_SNAPSHOT = "started from a snapshot of the booted guest; --boot boots it";

/** What the guest sees nothing of, or what is said to it when it starts. */
const UNSEEN = ["publish", "noReboot", "consoleSize", "boot", "net"];

/**
 * The snapshot of the guest as a definition would boot it.
 * @param defaults a definition where nothing was given.
 * @param usual what there is without `net`.
 */
export function bootedGuestOf(
  definition: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
  usual: "user" | "none",
): BootedGuest | undefined {
  if (definition.boot === true) return undefined;
  const text = (value: unknown): string | undefined => JSON.stringify(value);
  const names = Object.keys({ ...defaults, ...definition }).filter((name) => !UNSEEN.includes(name));
  if (names.some((name) => text(definition[name]) !== text(defaults[name]))) return undefined;
  const given = (definition.net ?? []) as readonly { readonly kind: string }[];
  const [net = { kind: usual }, ...others] = given;
  // Whatever else is said of an interface, the guest may see.
  const isPlain =
    others.length === 0 && Object.entries(net).every(([name, value]) => name === "kind" || value === undefined);
  if (!isPlain) return undefined;
  if (net.kind === "user") return "build/guest.snapshot";
  return net.kind === "none" ? "build/guest-alone.snapshot" : undefined;
}

/** The machine that `restore` makes of parts, told the time of day and the terminal's size. @throws as `restore`. */
export async function startBootedGuest(
  parts: MachineParts,
  serial: SerialPort,
  restore: (parts: MachineParts) => Promise<Machine>,
): Promise<Machine> {
  const first = new FirstLine(serial);
  const machine = await restore({ ...parts, serial: first });
  const { rows = "", columns = "" } = parts.terminalSize.get() ?? {};
  first.offer(utf8(`${Math.round(parts.wallClock.now() / 1000)} ${rows} ${columns}\n`));
  return machine;
}
