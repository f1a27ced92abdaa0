// Domains that are saved and restored in this process.

import { checksum, snapshotCodec } from "../../src/hosts/node/snapshot-file.ts";
import type { Domain, DomainConfig } from "../../src/hypervisor/domain.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { restoreDomain, saveDomain } from "../../src/hypervisor/migration/saved-domain.ts";
import { goOn } from "../../src/hypervisor/migration/state.ts";
import { BytesSink, sourceOfBytes } from "../../src/snapshot/streams.ts";

/** Pauses a domain, and saves it; it stays paused. */
export async function savedDomain(node: Hypervisor, name: string): Promise<Uint8Array> {
  if (node.status(name) === "running") node.pause(name);
  const sink = new BytesSink();
  const domain = node.still(name);
  const progress = (): void => {};
  await saveDomain(domain, {
    sink,
    codec: snapshotCodec,
    encoding: "zstd",
    checksum,
    host: null,
    files: [],
    disks: true,
    progress,
  });
  return sink.bytes();
}

/** What was saved, as a domain that runs. */
export async function restoredDomain(
  node: Hypervisor,
  file: Uint8Array,
  config: DomainConfig,
  as: "same" | "copy" = "same",
): Promise<Domain> {
  try {
    const domain = await restoreDomain({
      ...{ source: sourceOfBytes(file), codec: snapshotCodec, checksum },
      open: async () => node.receive(config),
      progress: () => {},
    });
    goOn(domain, as);
    node.resume(config.name);
    return domain;
  } catch (error) {
    if (node.names().includes(config.name)) {
      node.stop(config.name);
      node.run(1);
      node.remove(config.name);
    }
    throw error;
  }
}
