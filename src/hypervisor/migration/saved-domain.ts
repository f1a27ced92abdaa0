// A domain as a snapshot: its state, its RAM and what its disks hold, in named sections (snapshot/format.ts).

import type { BlockStore } from "../../bus/device.ts";
import { isSame, isZero } from "../../images/bytes.ts";
import { BadInput } from "../../machine/runnable.ts";
import { printable, Sections } from "../../machine/snapshot/section-reader.ts";
import { memorySection, SECTION_VERSION } from "../../machine/snapshot/sections.ts";
import type { Checksum } from "../../snapshot/crc32.ts";
import { damaged, newer } from "../../snapshot/error.ts";
import type { SavedValue } from "../../snapshot/fields.ts";
import {
  CHUNK_MAX,
  type Encoding,
  PAGE,
  type SnapshotCodec,
  type SnapshotSink,
  type SnapshotSource,
} from "../../snapshot/format.ts";
import { type Chunk, SnapshotReader } from "../../snapshot/reader.ts";
import { SnapshotWriter } from "../../snapshot/writer.ts";
import { type Domain, NO_MEMORY } from "../domain.ts";
import { memoryChunks, residentPages } from "./memory.ts";
import { chunksOf, type DomainConfiguration, readConfiguration, restoreState, saveState } from "./state.ts";

const RAM = memorySection("ram");
export const fileSection = (index: number): string => `file.${index}`;
export const baseSection = (index: number): string => `base.${index}`;
const diskSection = (index: number): string => `disk.${index}`;

export interface SaveDomainOptions {
  readonly sink: SnapshotSink;
  readonly codec: SnapshotCodec;
  readonly encoding: Encoding;
  readonly checksum: Checksum;
  /** What whoever restores it needs to make the domain's parts. */
  readonly host: SavedValue;
  /** What it boots from, where that is to be in it. */
  readonly files: readonly Uint8Array[];
  /** Whether what the disks hold is in it, too. */
  readonly disks: boolean;
  /** What is under disks that keep nothing, by their numbers: it is in it as such. */
  readonly bases?: readonly (BlockStore | undefined)[];
  readonly progress: (done: number, total: number) => void;
}

/** Saves a domain that stands still, and does so until this is done. @throws BadInput, or what `sink` and `codec` throw. */
export async function saveDomain(domain: Domain, options: SaveDomainOptions): Promise<void> {
  const { host, progress, disks, files, bases = [] } = options;
  const writer = new SnapshotWriter(options);
  const stores = disks ? domain.config.disks.map(({ store }) => store) : [];
  const toRead = [...stores, ...bases].reduce((sum, store) => sum + (store?.bytes ?? 0), 0);
  const total = residentPages(domain).length * PAGE + toRead;
  await writer.begin();
  const small = async (name: string, content: Uint8Array): Promise<void> => {
    for (const { page, bytes } of chunksOf(content)) await writer.chunk(name, SECTION_VERSION, page, bytes);
  };
  const [configuration, ...state] = saveState(domain, host);
  if (configuration !== undefined) await small(configuration.name, configuration.content);
  for (const [index, content] of files.entries()) await small(fileSection(index), content);
  let done = 0;
  const disk = async (name: string, store: BlockStore, base?: BlockStore): Promise<void> => {
    for (const { page, content } of diskChunks(store, base)) {
      if (content !== undefined) await writer.chunk(name, SECTION_VERSION, page, content);
      done += CHUNK_MAX;
      progress(Math.min(done, total), total);
    }
  };
  for (const [index, base] of bases.entries()) if (base !== undefined) await disk(baseSection(index), base);
  for (const { name, content } of state) await small(name, content);
  for (const { page, content } of memoryChunks(domain)) {
    await writer.chunk(RAM, SECTION_VERSION, page, content);
    done += content.length;
    progress(done, total);
  }
  for (const [index, store] of stores.entries()) await disk(diskSection(index), store, bases[index]);
  await writer.end();
  progress(total, total);
}

/** A disk in pieces; undefined: one that is as it begins, of zeroes, or as what is under it. */
function* diskChunks(
  store: BlockStore,
  base: BlockStore | undefined,
): Generator<{ readonly page: number; readonly content: Uint8Array | undefined }> {
  const buffer = new Uint8Array(CHUNK_MAX);
  const under = new Uint8Array(CHUNK_MAX);
  for (let at = 0; at < store.bytes; at += CHUNK_MAX) {
    const content = buffer.subarray(0, Math.min(CHUNK_MAX, store.bytes - at));
    store.read(at, content);
    base?.read(at, under.subarray(0, content.length));
    const unchanged = base === undefined ? isZero(content) : isSame(content, under);
    yield { page: at / PAGE, content: unchanged ? undefined : content };
  }
}

export interface RestoreDomainOptions {
  readonly source: SnapshotSource;
  readonly codec: SnapshotCodec;
  readonly checksum: Checksum;
  /** Makes a domain as the configuration says, that is new and stands still; reads its files, where there are some. What it opens is its own to close when restoring fails. */
  readonly open: (configuration: DomainConfiguration, sections: Sections) => Promise<Domain>;
  readonly progress: (pages: number) => void;
}

/** A domain as it was saved; it goes on after `goOn` (state.ts). @throws SnapshotError when the snapshot cannot be used; BadInput: there is no memory */
export async function restoreDomain({
  source,
  codec,
  checksum,
  open,
  progress,
}: RestoreDomainOptions): Promise<Domain> {
  const sections = new Sections(new SnapshotReader({ source, codec, checksum }));
  const configuration = await readConfiguration(sections);
  const domain = await open(configuration, sections);
  await restoreState(domain, sections, configuration);
  const ends = new Map<string, number>();
  for (let chunk = await sections.next(); chunk !== undefined; chunk = await sections.next()) {
    const { name, page, bytes } = chunk;
    sections.checkVersion(chunk);
    // Each page once, so that what there is to unpack is bounded by what the domain has.
    if (page < (ends.get(name) ?? 0)) throw damaged(`${printable(name)} has pages at the wrong place`);
    ends.set(name, page + Math.ceil(bytes / PAGE));
    place(domain, chunk, await sections.content(chunk));
    progress(page);
  }
  return domain;
}

function place(domain: Domain, { name, page }: Chunk, content: Uint8Array): void {
  const at = page * PAGE;
  if (name === RAM) {
    if (!domain.space.contains(domain.space.ram.base + at, content.length))
      throw damaged("it has pages outside of its RAM");
    if (!domain.memory.write(domain.space.ram.base + at, content)) throw new BadInput(NO_MEMORY(domain.config.name));
    return;
  }
  const index = domain.config.disks.findIndex((_, i) => diskSection(i) === name);
  const store = domain.config.disks[index]?.store;
  if (store === undefined) throw newer(`it has a section ${printable(name)}`);
  if (at + content.length > store.bytes || content.length % 512 !== 0)
    throw damaged(`${name} has content outside of the disk`);
  store.write(at, content);
}
