// Domains in files: with their disks and what they boot from, so that such a file is all of a domain.

import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { ActionError, type Progress } from "../../contract/action.ts";
import type { DomainInput, DomainOutput } from "../../contract/domains.ts";
import { mapPaths } from "../../contract/paths.ts";
import { checksum, NewSnapshotFile, SnapshotFile, snapshotCodec } from "../../hosts/node/snapshot-file.ts";
import { baseSection, fileSection, restoreDomain, saveDomain } from "../../hypervisor/migration/saved-domain.ts";
import { type DomainConfiguration, goOn } from "../../hypervisor/migration/state.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { Sections } from "../../machine/snapshot/section-reader.ts";
import { damaged, SnapshotError } from "../../snapshot/error.ts";
import { CHUNK_MAX, PAGE } from "../../snapshot/format.ts";
import { verifySnapshot } from "../../snapshot/reader.ts";
import type { DomainKeeper } from "../domains/keeper.ts";
import { inTurns } from "../saved-state.ts";
import { Bases } from "./bases.ts";
import type { Message } from "./channel.ts";
import type { MigrationHost } from "./host.ts";
import { checkFitsInFile, checkHasNoChannels, luggageOf, type Packed, pack, readFiles } from "./luggage.ts";
import { encodePiece, KIND, type Luggage, luggage, Unexpected } from "./messages.ts";
import { checkRoom, Newcomer } from "./newcomer.ts";

type Report = (progress: Progress) => void;

/** Milliseconds after which the event loop has its turn. */
const TURN = 50;

export class Saves {
  readonly #host: MigrationHost;

  constructor(host: MigrationHost) {
    this.#host = host;
  }

  async save(input: DomainInput<"save">, progress: Report): Promise<DomainOutput<"save">> {
    const { name } = input;
    const { find, folderOf } = this.#host;
    const keeper = find(name);
    if (keeper === undefined)
      throw new ActionError("no-such-machine", `there is no domain ${name}: atoll ps lists them`);
    const { definition } = keeper.stored;
    checkFitsInFile(name, definition);
    const whole = mapPaths(definition, (path) => folderOf(name).resolve(path));
    const bases = await Bases.of(whole);
    try {
      return await this.#save(keeper, input, pack(whole), bases, progress);
    } finally {
      bases.close();
    }
  }

  async #save(
    keeper: DomainKeeper,
    { name, file }: DomainInput<"save">,
    packed: Packed,
    bases: Bases,
    progress: Report,
  ): Promise<DomainOutput<"save">> {
    const paused = keeper.status === "paused";
    if (!paused && keeper.status !== "running")
      throw new ActionError("wrong-state", `${name} is ${keeper.status}: only a domain that runs is saved`);
    const files = readFiles(packed.files);
    const target = new NewSnapshotFile(file);
    const began = performance.now();
    keeper.hold("saving");
    try {
      const domain = this.#host.hypervisor.still(name);
      checkHasNoChannels(domain);
      await saveDomain(domain, {
        ...{ sink: inTurns(target), codec: snapshotCodec, checksum, encoding: "zstd", files },
        ...{ disks: true, bases: bases.stores },
        host: {
          paused,
          saved: Date.now(),
          luggage: JSON.parse(JSON.stringify(luggageOf(keeper.stored, packed, domain, files))),
        },
        progress: (done, total) => progress({ step: `saving ${name}`, done: total === 0 ? 1 : done / total }),
      });
      target.finish();
    } catch (error) {
      target.abandon();
      throw error;
    } finally {
      keeper.release(paused);
    }
    return { bytes: statSync(file).size, seconds: (performance.now() - began) / 1000 };
  }

  async load(input: DomainInput<"load">, progress: Report): Promise<DomainOutput<"load">> {
    const { file } = input;
    progress({ step: `reading ${file}` });
    const source = new SnapshotFile(file);
    try {
      await verifySnapshot({ source, checksum });
    } catch (error) {
      throw naming(file, error);
    } finally {
      source.close();
    }
    return this.#load(input, progress);
  }

  async #load({ file, name: newName, publish }: DomainInput<"load">, progress: Report): Promise<DomainOutput<"load">> {
    const { migrations } = this.#host.store;
    const source = new SnapshotFile(file);
    let newcomer: Newcomer | undefined;
    let isOurs = false;
    let paused = false;
    let last = performance.now();
    try {
      const inner = {
        read: async (bytes: number) => {
          if (performance.now() - last > TURN) {
            await new Promise((resolve) => setImmediate(resolve));
            last = performance.now();
          }
          return source.read(bytes);
        },
      };
      const domain = await restoreDomain({
        ...{ source: inner, codec: snapshotCodec, checksum },
        open: async (configuration, sections) => {
          const host = hostOf(configuration);
          paused = host.paused;
          const mine = publishing({ ...host.luggage, name: newName ?? host.luggage.name }, publish);
          checkRoom(this.#host, mine, false);
          newcomer = new Newcomer(this.#host, randomBytes(16).toString("hex"), mine);
          await readInto(newcomer, sections, mine);
          return newcomer.open(() => {});
        },
        progress: (pages) => progress({ step: `loading ${file}: ${Math.round((pages * PAGE) / 2 ** 20)} MiB` }),
      });
      if (newcomer === undefined) throw new Error("nothing was restored");
      const { id, name } = newcomer;
      for (const { store } of domain.config.disks) store.flush();
      if (migrations.takenRecords(() => newcomer?.write()).take(id) === "full")
        throw new BadInput("the disk of the state directory is full");
      isOurs = true;
      migrations.forgetIncoming(id);
      newcomer.stay();
      goOn(domain, "copy");
      newcomer.keeper.release(paused);
      return { name };
    } catch (error) {
      if (!isOurs) newcomer?.drop();
      throw naming(file, error);
    } finally {
      source.close();
    }
  }
}

/** What `save` has written, which may be anybody's. @throws SnapshotError */
function hostOf({ host }: DomainConfiguration): { readonly luggage: Luggage; readonly paused: boolean } {
  const { luggage: its, paused } = (host ?? {}) as { luggage?: unknown; paused?: unknown };
  const parsed = luggage.safeParse(its);
  if (!parsed.success) throw damaged("what it says of its domain makes no sense");
  return { luggage: parsed.data, paused: paused === true };
}

/** With other ports, where there are some. @throws BadInput where its health is seen at one that it has no more. */
function publishing(its: Luggage, publish: Luggage["definition"]["publish"] | undefined): Luggage {
  if (publish === undefined) return its;
  const { name, definition, given } = its;
  const port = definition.health?.tcp;
  if (port !== undefined && !publish.some(({ protocol, guestPort }) => protocol === "tcp" && guestPort === port))
    throw new BadInput(`the health of ${name} is seen at its port ${port}: publish that, too`);
  return { ...its, definition: { ...definition, publish }, given: { ...given, publish } };
}

async function readInto({ files, bases }: Newcomer, sections: Sections, its: Luggage): Promise<void> {
  for (const index of its.files.keys()) await readPieces(sections, fileSection(index), index, KIND.file, files);
  for (const index of its.disks.keys()) await readPieces(sections, baseSection(index), index, KIND.base, bases);
}

async function readPieces(
  sections: Sections,
  name: string,
  index: number,
  kind: number,
  to: { take(message: Message): void },
): Promise<void> {
  for await (const { offset, content } of sections.pieces(name))
    for (let at = 0; at < content.length; at += CHUNK_MAX)
      to.take({
        kind,
        body: encodePiece({ index, offset: offset + at, content: content.subarray(at, at + CHUNK_MAX) }),
      });
}

function naming(file: string, error: unknown): unknown {
  if (error instanceof SnapshotError) return new SnapshotError(error.failure, `cannot load ${file}: ${error.message}`);
  if (error instanceof BadInput && error.message.startsWith("--publish:"))
    return new BadInput(`${error.message}; atoll load --publish gives it other ports, or none with --publish none`);
  if (error instanceof Unexpected) return new ActionError("wrong-state", `cannot load ${file}: ${error.message}`);
  return error;
}
