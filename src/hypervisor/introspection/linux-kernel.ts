import { VBAR_EL1 } from "../../cpu/sysreg-layout.ts";
import { readKallsyms } from "../../machine/profiling/kallsyms.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { Domain } from "../domain.ts";
import { bits64, GuestAddressSpace } from "./address-space.ts";
import { Btf } from "./btf.ts";
import { type KernelImage, searchCallTable, searchFirstTask, searchModules } from "./kernel-search.ts";
import { searchTaskOffsets } from "./task-search.ts";

/** Of a kernel's image before and after its exception vectors: where its tables are looked for. */
const IMAGE_BYTES = 64 * 2 ** 20;

/** Entries of a system call table of which no more is known than where it is. */
const CALLS = 440;

/** Where members are, in bytes from the start of their structure. */
export interface TaskOffsets {
  readonly tasks: number;
  readonly pid: number;
  readonly tgid: number;
  readonly comm: number;
  readonly state: number;
  readonly exitState: number;
  readonly parent: number;
  readonly flags: number;
}

export interface ModuleOffsets {
  readonly list: number;
  readonly name: number;
  readonly state: number;
  /** Where sizes are whose sum is the module's, of 4 bytes each. */
  readonly sizes: readonly number[];
}

/** What is known of a kernel beforehand; what is not given is found in its memory. */
export interface KernelKnowledge {
  /** Addresses by name, as the kernel runs. */
  readonly symbols?: Readonly<Record<string, bigint>> | undefined;
  readonly task?: TaskOffsets | undefined;
  readonly module?: ModuleOffsets | undefined;
  /** Of the kernel's file `vmlinux`: its section .BTF. */
  readonly btf?: Uint8Array | undefined;
}

/** A Linux kernel as it lies in a domain's memory, by what it has of itself: the tables of kallsyms, and BTF. */
export class LinuxKernel {
  readonly space: GuestAddressSpace;
  readonly #image: KernelImage;
  readonly #known: KernelKnowledge;
  #symbols: ReadonlyMap<string, bigint> | undefined;
  #btf: Btf | undefined | null = null;
  /** Of a kernel without BTF. */
  #task: TaskOffsets | undefined;

  /** @throws BadInput when no vCPU has a kernel mapped: it has not started, or all are at EL0 and the kernel hides. */
  constructor(domain: Domain, known: KernelKnowledge = {}) {
    this.#known = known;
    for (const { registers } of domain.vcpus) {
      const vectors = bits64(registers, VBAR_EL1);
      const space = new GuestAddressSpace(registers, domain.memory);
      const at = vectors >> 63n ? space.translate(vectors) : undefined;
      if (at === undefined || !domain.space.contains(at)) continue;
      const { base, bytes } = domain.space.ram;
      const start = Math.max(base, at - IMAGE_BYTES);
      const end = Math.min(base + bytes, at + IMAGE_BYTES);
      this.space = space;
      const image = domain.memory.read(start, end - start) ?? new Uint8Array(0);
      this.#image = { bytes: image, at: vectors - BigInt(at - start), space };
      return;
    }
    throw new BadInput(`${domain.config.name}: there is no kernel whose memory a CPU has mapped now`);
  }

  /** The address of a symbol; undefined: the kernel has none of that name, and none was given. */
  address(name: string): bigint | undefined {
    return this.#known.symbols?.[name] ?? this.#table().get(name);
  }

  #table(): ReadonlyMap<string, bigint> {
    if (this.#symbols === undefined) {
      const found = readKallsyms(this.#image.bytes) ?? [];
      const byName = new Map<string, bigint>();
      for (const { name, address } of found) if (!byName.has(name)) byName.set(name, address);
      this.#symbols = byName;
    }
    return this.#symbols;
  }

  /** Its types; undefined: it has none. */
  get btf(): Btf | undefined {
    if (this.#btf === null) this.#btf = this.#known.btf ? Btf.parse(this.#known.btf) : Btf.find(this.#image.bytes);
    return this.#btf;
  }

  /** @throws BadInput when they are neither known nor in the kernel. */
  get task(): TaskOffsets {
    if (this.#known.task !== undefined) return this.#known.task;
    const { btf } = this;
    if (btf === undefined) {
      this.#task ??= searchTaskOffsets(this.#image);
      if (this.#task !== undefined) return this.#task;
    }
    const type = btf?.struct("task_struct");
    const of = (...names: string[]): number => this.#member(type, "task_struct", names);
    return {
      ...{ tasks: of("tasks"), pid: of("pid"), tgid: of("tgid"), comm: of("comm"), state: of("__state", "state") },
      ...{ exitState: of("exit_state"), parent: of("real_parent"), flags: of("flags") },
    };
  }

  /** @throws BadInput when they are neither known nor in the kernel. */
  get module(): ModuleOffsets {
    if (this.#known.module !== undefined) return this.#known.module;
    const { btf } = this;
    const type = btf?.struct("module");
    const of = (name: string): number => this.#member(type, "module", [name]);
    return { list: of("list"), name: of("name"), state: of("state"), sizes: btf ? moduleSizes(btf, type) : [] };
  }

  #member(type: number | undefined, struct: string, names: readonly string[]): number {
    for (const name of names) {
      const found = this.btf?.member(type, name);
      if (found !== undefined) return found.offset;
    }
    throw new BadInput(
      this.btf === undefined
        ? "this kernel has no types of its own (CONFIG_DEBUG_INFO_BTF): give their offsets"
        : `this kernel's struct ${struct} has no ${names[0]}: give the offsets`,
    );
  }

  /** The task of the first CPU's idle thread, where the list of all begins: by its symbol, or by what it looks like. */
  get firstTask(): bigint | undefined {
    return this.address("init_task") ?? searchFirstTask(this.#image, this.task);
  }

  /** The head of the list of modules. None is found where there is no symbol for it and no module. */
  get moduleList(): bigint | undefined {
    return this.address("modules") ?? searchModules(this.#image, this.module);
  }

  /** The system call table: from its first byte to the one after its last. */
  get callTable(): { readonly start: bigint; readonly end: bigint } | undefined {
    const found = searchCallTable(this.#image, (name) => this.address(name));
    if (found !== undefined) return found;
    const start = this.address("sys_call_table");
    return start === undefined ? undefined : { start, end: start + BigInt(8 * CALLS) };
  }
}

/** Since Linux 6.4 a module has memory of several kinds, before it had a core and what is for its start. */
function moduleSizes(btf: Btf, type: number | undefined): number[] {
  const memory = btf.member(type, "mem");
  if (memory !== undefined) {
    const element = btf.elementOf(memory.type);
    const size = btf.member(element, "size");
    const bytes = btf.sizeOf(element);
    if (size === undefined) return [];
    const count = Math.min(btf.lengthOf(memory.type), 16);
    return Array.from({ length: count }, (_, i) => memory.offset + i * bytes + size.offset);
  }
  const core = btf.member(type, "core_layout");
  const size = core && btf.member(core.type, "size");
  return core && size ? [core.offset + size.offset] : [];
}
