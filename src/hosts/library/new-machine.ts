import type { SerialPort } from "../../bus/device.ts";
import type { Machine } from "../../machine/machine.ts";
import type { MachineParts } from "../../machine/runnable.ts";
import { crc32 } from "../../snapshot/crc32.ts";
import { SnapshotError } from "../../snapshot/error.ts";
import { sourceOfBytes } from "../../snapshot/streams.ts";
import { bootedGuestOf, startBootedGuest } from "./booted-guest.ts";
import { type CheckedConfiguration, checkConfiguration } from "./config.ts";
import type { PackageFile } from "./parts.ts";
import type { Platform } from "./session.ts";

/** What a machine began with: power-on, or a snapshot, be it that of the booted guest that comes with the package. */
export type MachineOrigin = "power-on" | "snapshot";

/** A machine of a configuration: booted already, where it is the usual one. @throws as `partsOf` and Machine.create */
export async function newMachine(
  configuration: CheckedConfiguration,
  partsOf: (configuration: CheckedConfiguration) => Promise<MachineParts>,
  serial: SerialPort,
  platform: Platform,
): Promise<{ machine: Machine; origin: MachineOrigin }> {
  const guest = bootedGuestOf({ ...configuration }, { ...checkConfiguration({}) }, platform.usualNetwork);
  const reading = guest && readIfThere(guest, platform);
  const parts = await partsOf(configuration);
  const bytes = await reading;
  const machine = bytes && (await fromBootedGuest(bytes, parts, serial, platform));
  if (machine !== undefined) return { machine, origin: "snapshot" };
  const { Machine } = await import("../../machine/machine.ts");
  await parts.readToBoot?.();
  return { machine: await Machine.create(parts), origin: "power-on" };
}

/** Undefined where the package, or a site made of it, has not got the file: then the guest boots. */
async function readIfThere(name: PackageFile, platform: Platform): Promise<Uint8Array | undefined> {
  try {
    return await platform.packageFile(name);
  } catch {
    return undefined;
  }
}

/** Undefined when the snapshot is damaged or of another build. */
async function fromBootedGuest(
  bytes: Uint8Array,
  parts: MachineParts,
  serial: SerialPort,
  { snapshotCodec: codec, checksum = crc32 }: Platform,
): Promise<Machine | undefined> {
  const { restoreMachine } = await import("../../machine/snapshot/restore.ts");
  try {
    return await startBootedGuest(parts, serial, (all) =>
      restoreMachine({ source: sourceOfBytes(bytes), codec, checksum, open: () => all }),
    );
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    return undefined;
  }
}
