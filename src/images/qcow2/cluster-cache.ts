import { viewOf } from "../bytes.ts";
import { readInside, type Storage } from "../storage.ts";

/** A cluster of metadata in memory. */
export interface MetadataCluster {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  dirty: boolean;
}

/** Bytes of metadata of one kind that are kept: 16 MiB of L2 tables map 128 GiB at the usual cluster size. */
const CACHE_BYTES = 16 * 2 ** 20;

/** Clusters of metadata, the least recently used forgotten first, changes kept until they are written. */
export class ClusterCache {
  readonly #storage: Storage;
  readonly #clusterBytes: number;
  readonly #what: string;
  readonly #limit: number;
  readonly #clusters = new Map<number, MetadataCluster>();
  readonly #dirty = new Set<MetadataCluster>();

  constructor(storage: Storage, clusterBytes: number, what: string) {
    this.#storage = storage;
    this.#clusterBytes = clusterBytes;
    this.#what = what;
    this.#limit = Math.max(8, CACHE_BYTES / clusterBytes);
  }

  get anyDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Whether changes should be written before there are more. */
  get full(): boolean {
    return this.#dirty.size * 2 > this.#limit;
  }

  get(offset: number): MetadataCluster {
    const known = this.#clusters.get(offset);
    if (known !== undefined) {
      if (this.#clusters.size * 2 > this.#limit) {
        this.#clusters.delete(offset);
        this.#clusters.set(offset, known);
      }
      return known;
    }
    return this.#add(offset, readInside(this.#storage, offset, this.#clusterBytes, this.#what), false);
  }

  /** A new cluster, of which the file holds nothing yet. */
  create(offset: number, bytes = new Uint8Array(this.#clusterBytes)): MetadataCluster {
    return this.#add(offset, bytes, true);
  }

  touch(cluster: MetadataCluster): void {
    cluster.dirty = true;
    this.#dirty.add(cluster);
    // It may have been forgotten since its user got it.
    this.#clusters.set(cluster.offset, cluster);
  }

  forget(offset: number): void {
    const cluster = this.#clusters.get(offset);
    if (cluster === undefined) return;
    this.#dirty.delete(cluster);
    this.#clusters.delete(offset);
  }

  write(): void {
    for (const cluster of [...this.#dirty].sort((a, b) => a.offset - b.offset)) {
      this.#storage.write(cluster.offset, cluster.bytes);
      cluster.dirty = false;
      this.#dirty.delete(cluster);
    }
  }

  #add(offset: number, bytes: Uint8Array, dirty: boolean): MetadataCluster {
    const cluster = { offset, bytes, view: viewOf(bytes), dirty };
    this.#clusters.set(offset, cluster);
    if (dirty) this.#dirty.add(cluster);
    if (this.#clusters.size > this.#limit) {
      for (const [at, old] of this.#clusters) {
        if (old.dirty || old === cluster) continue;
        this.#clusters.delete(at);
        break;
      }
    }
    return cluster;
  }
}
