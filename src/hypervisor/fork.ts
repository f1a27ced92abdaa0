import { POWER_KEY_PIN } from "../machine/memory-map.ts";
import { BadInput } from "../machine/runnable.ts";
import { isStateful } from "../machine/snapshot/sections.ts";
import { SnapshotError } from "../snapshot/error.ts";
import { Fields } from "../snapshot/fields.ts";
import { type Domain, type DomainConfig, NO_MEMORY } from "./domain.ts";

/** What a copy of a domain has of its own. Disks are as many and as large as the original's, networks as many. */
export type ForkParts = Pick<DomainConfig, "serial" | "disks"> &
  Partial<
    Pick<
      DomainConfig,
      "networks" | "shares" | "vsock" | "serialPorts" | "terminalSize" | "entropy" | "wallClock" | "share" | "pinned"
    >
  >;

/**
 * Makes `child`, new and empty, go on from where `parent` is, none of whose vCPUs is on a PE. Memory is shared until either writes. The
 * child stands still, as a paused domain does. What it has of its own: VMID, generation ID, what its parts gave.
 * @throws BadInput when its parts are not those of a copy, or there is no memory.
 */
export function continueAs(child: Domain, parent: Domain): void {
  child.group.held = true;
  child.clock.hold(true);
  child.clock.resumeAt(parent.clock.now());
  child.bus.reset();
  if (!parent.space.shareWith(child.space) || !child.stolen.map() || !child.generation.map())
    throw new BadInput(NO_MEMORY(child.config.name));
  child.deviceTree = parent.deviceTree;
  child.flash.copyFrom(parent.flash);
  copyDevices(child, parent);
  // With the levels of all lines: the devices have told it nothing.
  child.copyProcessors(parent);
  for (const timer of child.timers) timer.restored();
  for (const { device } of child.bus.windows().filter(isStateful)) {
    device.cloned?.();
    device.resumed?.();
  }
  child.devices.gpio.setInput(POWER_KEY_PIN, false);
  child.generation.signal();
  for (const [index, vcpu] of child.vcpus.entries()) vcpu.status = parent.vcpus[index]?.status ?? "off";
}

/** By what snapshots are made of. */
function copyDevices(child: Domain, parent: Domain): void {
  const name = child.config.name;
  const originals = new Map(parent.bus.windows().map((window) => [window.name, window]));
  child.devices.consoles.active = parent.devices.consoles.active;
  for (const window of child.bus.windows().filter(isStateful)) {
    const original = originals.get(window.name);
    if (original === undefined || !isStateful(original))
      throw new BadInput(`${name}: the original has no ${window.name}`);
    try {
      window.device.restore(new Fields(original.device.save(), window.name));
    } catch (error) {
      if (error instanceof SnapshotError)
        throw new BadInput(`${name}: its devices are not those of a copy (${window.name}: ${error.message})`);
      throw error;
    }
  }
}
