import type { MachineInfo, MachineStatus } from "../contract/machines.ts";
import type { MachineFolder } from "./state-directory.ts";
import type { StoredMachine } from "./store.ts";

/** What is told of a machine. */
export function describe(
  { name, created, definition, lastRun }: StoredMachine,
  folder: MachineFolder,
  status: MachineStatus,
  pid?: number,
): MachineInfo {
  return {
    name,
    status,
    created,
    folder: folder.path,
    ...(lastRun === undefined ? {} : { lastRun }),
    ...(pid === undefined ? {} : { pid }),
    definition,
  };
}
