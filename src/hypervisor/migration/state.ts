// The state of a domain but for its RAM, in the sections of a snapshot. Whoever saves it sees to it that the domain stands still: none of its vCPUs
// is on a PE. Where it is restored may be another process, and who wrote it may be anybody.

import { utf8 } from "../../base/text.ts";
import { CNTP_CTL_EL0, CNTP_CVAL_EL0, SPSR_EL2 } from "../../cpu/sysreg-layout.ts";
import { INTIDS } from "../../devices/gic/layout.ts";
import { POWER_KEY_PIN } from "../../machine/memory-map.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { Sections } from "../../machine/snapshot/section-reader.ts";
import { deviceSection, isStateful, SECTION_MAX } from "../../machine/snapshot/sections.ts";
import { checkShape } from "../../machine/snapshot/shape.ts";
import { damaged, SnapshotError } from "../../snapshot/error.ts";
import { type Fields, hex, type SavedValue } from "../../snapshot/fields.ts";
import { CHUNK_MAX, PAGE } from "../../snapshot/format.ts";
import { type Domain, NO_MEMORY } from "../domain.ts";
import { CONTEXT, SAVED_AP1R0, SAVED_LISTS, type Vcpu } from "../vcpu.ts";
import { DOMAIN_LAYOUT, shapeOfDomain } from "./shape.ts";

export const CONFIGURATION = "configuration";
const DOMAIN = "domain";
const INTERRUPTS = "gic";
const DEVICE_TREE = "device-tree";
const FLASH_MAX = 256;
const vcpuSection = (index: number): string => `vcpu.${index}`;
const flashSection = (bank: number, piece: number): string => `flash.${bank}.${piece}`;

/** A section that is small enough to be had at once. */
export interface SmallSection {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Of a vCPU's block: the registers that a guest sees, the virtual CPU interface, and EL1's physical timer. */
const BLOCK: readonly (readonly [number, number])[] = [
  ...CONTEXT,
  [CNTP_CTL_EL0, CNTP_CVAL_EL0 + 8],
  [SAVED_LISTS, SAVED_AP1R0 + 8],
];
const BLOCK_WORDS = BLOCK.reduce((sum, [from, to]) => sum + (to - from) / 4, 0);
const STATUSES = ["off", "ready", "blocked"] as const;

/** SPSR_EL2.M, with M[4]: AArch32. */
const MODE = 0x1f;
const MODES = [0, 4, 5];

/** @param host what whoever restores it needs to make the domain's parts. @throws BadInput when it has too much state. */
export function saveState(domain: Domain, host: SavedValue): SmallSection[] {
  const { bus, vcpus, clock, devices, generation, flash } = domain;
  const { words, latched, overflow } = domain.gic.save();
  return [
    json(CONFIGURATION, { layout: DOMAIN_LAYOUT, kind: "domain", machine: shapeOfDomain(domain), host }),
    json(DOMAIN, {
      ...{ now: clock.now(), console: devices.consoles.active, generation: hex(generation.id ?? new Uint8Array(16)) },
      vcpus: vcpus.map(({ status, stolen }) => ({ status: status === "running" ? "ready" : status, stolen })),
      doorbells: domain.channels.map(({ pending }) => pending),
      interrupts: { latched, overflow: overflow.map((intids) => ({ intids })) },
      flash: [...flash.contents()].map(({ bank, offset }) => ({ bank, offset })),
    }),
    ...bus
      .windows()
      .filter(isStateful)
      .map(({ name, device }) => json(deviceSection(name), device.save())),
    { name: INTERRUPTS, content: new Uint8Array(words.buffer) },
    ...vcpus.map((vcpu) => ({ name: vcpuSection(vcpu.index), content: saveBlock(vcpu) })),
    { name: DEVICE_TREE, content: domain.deviceTree },
    ...[...flash.contents()].map(({ bank, bytes }, piece) => ({ name: flashSection(bank, piece), content: bytes })),
  ];
}

function json(name: string, value: SavedValue): SmallSection {
  const content = utf8(JSON.stringify(value));
  if (content.length > SECTION_MAX) throw new BadInput(`${name} has too much state to be saved`);
  return { name, content };
}

function saveBlock({ saved }: Vcpu): Uint8Array {
  const words = new Int32Array(BLOCK_WORDS);
  let at = 0;
  for (const [from, to] of BLOCK) for (let offset = from; offset < to; offset += 4) words[at++] = saved.word(offset);
  return new Uint8Array(words.buffer);
}

/** What the first section says. */
export interface DomainConfiguration {
  readonly machine: Fields;
  /** What the host gave when it was saved: it may be anything. */
  readonly host: unknown;
  readonly shape: unknown;
}

/** @throws SnapshotError when it is of no domain, or of another build's. */
export async function readConfiguration(sections: Sections): Promise<DomainConfiguration> {
  const fields = await sections.json(CONFIGURATION);
  if (fields.any("kind") !== "domain")
    throw new SnapshotError("other", "it is of a machine, not of a domain: atoll restore goes on with it");
  if (fields.whole("layout") !== DOMAIN_LAYOUT)
    throw new SnapshotError("other", "it was made by another build of Atoll, which keeps state in another way");
  return { machine: fields.object("machine"), shape: fields.any("machine"), host: fields.any("host") };
}

/**
 * Fills a domain that is new and stands still with what follows the configuration; RAM comes before or afterwards. It goes on, or not, after `goOn`.
 * @throws SnapshotError when that cannot be: the domain is then fit for nothing but its end. BadInput: there is no memory.
 */
export async function restoreState(domain: Domain, sections: Sections, { shape }: DomainConfiguration): Promise<void> {
  checkShape(shape, shapeOfDomain(domain));
  const { bus, vcpus, clock, devices } = domain;
  const { channels, space } = domain;
  if (!domain.stolen.map() || !domain.generation.map() || !channels.every((end) => end.connect(space)))
    throw new BadInput(NO_MEMORY(domain.config.name));
  const state = await sections.json(DOMAIN);
  clock.resumeAt(state.number("now"));
  devices.consoles.active = state.whole("console", 0xffff);
  domain.generation.continueAs(state.bytes("generation", 16, 16));
  const stateful = bus.windows().filter(isStateful);
  for (const { name, device } of stateful) device.restore(await sections.json(deviceSection(name)));
  const rung = state.has("doorbells") ? state.wholes("doorbells", channels.length, 0xffff_ffff) : [];
  for (const [index, end] of channels.entries()) end.continueWith(rung[index] ?? 0);
  const words = await sections.bytes(INTERRUPTS);
  for (const vcpu of vcpus) restoreBlock(vcpu, await sections.bytes(vcpuSection(vcpu.index)));
  const interrupts = state.object("interrupts");
  const restored = domain.gic.restore(
    {
      words: new Int32Array(words.slice().buffer, 0, words.length >> 2),
      latched: interrupts.wholes("latched", 0x10000, 1),
      overflow: interrupts.list("overflow", vcpus.length).map((each) => each.wholes("intids", INTIDS, INTIDS - 1)),
    },
    vcpus.map(({ saved }) => saved),
  );
  if (!restored) throw damaged("the interrupt controller has no possible state");
  const each = state.list("vcpus", vcpus.length);
  if (each.length !== vcpus.length) throw damaged("it has another number of vCPUs");
  for (const [index, fields] of each.entries()) {
    const vcpu = vcpus[index] as Vcpu;
    vcpu.status = fields.oneOf("status", ...STATUSES);
    vcpu.stolen = fields.number("stolen");
  }
  domain.deviceTree = (await sections.bytes(DEVICE_TREE)).slice();
  for (const [piece, place] of state.list("flash", FLASH_MAX * 2).entries()) {
    const bank = place.whole("bank", 1);
    const offset = place.whole("offset");
    if (!domain.flash.fill(bank, offset, await sections.bytes(flashSection(bank, piece))))
      throw damaged("its flash has no such place");
  }
}

/**
 * After all was restored, before the domain's first instruction. "copy": the original may go on, too, so that what tells copies apart is new: the
 * generation ID, the MAC address.
 */
export function goOn(domain: Domain, as: "same" | "copy"): void {
  for (const timer of domain.timers) timer.restored();
  for (const { device } of domain.bus.windows().filter(isStateful)) {
    if (as === "copy") device.cloned?.();
    device.resumed?.();
  }
  domain.devices.gpio.setInput(POWER_KEY_PIN, false);
  if (as === "copy") {
    const id = new Uint8Array(16);
    domain.config.entropy.fill(id);
    domain.generation.continueAs(id);
    domain.generation.signal();
  }
}

function restoreBlock({ saved, index }: Vcpu, content: Uint8Array): void {
  if (content.length !== BLOCK_WORDS * 4) throw damaged(`vCPU ${index} has a state of another size`);
  const words = new Int32Array(content.slice().buffer);
  let at = 0;
  for (const [from, to] of BLOCK)
    for (let offset = from; offset < to; offset += 4) saved.setWord(offset, words[at++] as number);
  // Where it goes on is EL1 or EL0, whatever was written.
  if (!MODES.includes(saved.word(SPSR_EL2) & MODE)) throw damaged(`vCPU ${index} has no possible state`);
}

/** How a small section is cut into chunks. */
export function* chunksOf(content: Uint8Array): Generator<{ readonly page: number; readonly bytes: Uint8Array }> {
  let at = 0;
  do {
    yield { page: at / PAGE, bytes: content.subarray(at, at + CHUNK_MAX) };
    at += CHUNK_MAX;
  } while (at < content.length);
}
