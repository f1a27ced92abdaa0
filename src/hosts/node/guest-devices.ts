// The devices of a machine that reach into this computer: networks, shared folders, sockets, serial ports.

import type { SerialChannel } from "../../bus/channel.ts";
import { PORTS_MAX } from "../../devices/virtio/console/ports.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { GuestDevices, WantedDevices } from "../library/wanted-machine.ts";
import { type NodeNetworks, openNetwork } from "./guest-network.ts";
import { FileChannel, SocketChannel } from "./serial-channels.ts";
import { NodeFolder } from "./shared-folder.ts";
import { StreamSockets } from "./stream-sockets.ts";

/**
 * @param networks of the node, where it is for a domain.
 * @param wake called when the guest may have something to do.
 * @throws BadInput when what an option names cannot be used.
 */
export async function openDevices(
  networks: NodeNetworks | undefined,
  options: WantedDevices,
  wake: () => void,
): Promise<GuestDevices> {
  unique(
    "--share",
    "folder a tag",
    options.share.map(({ tag }) => tag),
  );
  unique(
    "--serial-port",
    "port a name",
    options.serialPort.map(({ name }) => name),
  );
  if (options.serialPort.length > PORTS_MAX) throw new BadInput(`--serial-port: give at most ${PORTS_MAX} ports`);
  const shares = options.share.map(({ folder, tag, readOnly }) => {
    if (typeof folder !== "string") throw new BadInput(`--share: ${tag}: give the path of a folder`);
    return { tag, folder: new NodeFolder(folder, readOnly) };
  });
  const opened: { close(): void }[] = [];
  const close = (): void => {
    for (const each of opened.splice(0)) each.close();
  };
  const keep = <T extends { close(): void }>(each: T): T => {
    opened.push(each);
    return each;
  };
  try {
    const sockets = options.vsock && keep(await StreamSockets.listen(options.vsock.path, wake));
    const joins = options.vsock?.domains === true && networks !== undefined && sockets !== undefined;
    const host = joins ? keep(networks.join(options.vsock.cid, sockets, wake)) : sockets;
    const { links } = keep(await openNetwork(options, wake, networks));
    const serialPorts: { name: string; channel: SerialChannel }[] = [];
    for (const { name, kind, path } of options.serialPort) {
      const channel = keep(kind === "file" ? new FileChannel(path) : await SocketChannel.listen(path, wake));
      serialPorts.push({ name, channel });
    }
    return {
      parts: { networks: links, shares, serialPorts, vsock: options.vsock && host && { cid: options.vsock.cid, host } },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function unique(option: string, what: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new BadInput(`${option}: give each ${what} of its own; ${twice} is there twice`);
}
