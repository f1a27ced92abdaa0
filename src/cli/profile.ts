// `--profile` and `--symbols`: from files of symbols and a machine's recording to a file that tools for profiles open.

import { load, saveText } from "../hosts/node/files.ts";
import type { Machine } from "../machine/machine.ts";
import { cpuprofile } from "../machine/profiling/cpuprofile.ts";
import { isElf, readElfSymbols } from "../machine/profiling/elf-symbols.ts";
import { type Profile, profileOf } from "../machine/profiling/profile.ts";
import { speedscope } from "../machine/profiling/speedscope.ts";
import { type SymbolFile, Symbolizer } from "../machine/profiling/symbolizer.ts";
import { readSystemMap } from "../machine/profiling/symbols.ts";
import { BadInput, type NamedBytes } from "../machine/runnable.ts";
import type { RunOptions } from "./run-options.ts";

const EMPTY: Profile = { frames: [], threads: [{ name: "CPU 0", samples: [] }] };

/** Where a profile goes and what its functions are called. */
export class ProfileFile {
  readonly #path: string;
  readonly #symbols: SymbolFile[];
  readonly #title: string;

  /** @throws BadInput for a file of symbols that has none, or when the profile cannot be written: before the guest starts. */
  constructor(path: string, options: SymbolOptions) {
    this.#path = path;
    this.#title = options.kernel ?? "Atoll";
    this.#symbols = symbolFiles(options);
    saveText(path, this.#format(EMPTY));
  }

  save(machine: Machine): void {
    const { recording } = machine;
    if (recording === undefined) return;
    const files = [...this.#symbols];
    // A kernel's own symbols are of the addresses at which it runs.
    if (!files.some(({ symbols }) => symbols.some(({ name }) => name === "vectors"))) {
      const own = machine.kernelSymbols();
      if (own) files.push({ symbols: own, slide: 0n });
    }
    saveText(this.#path, this.#format(profileOf(recording, new Symbolizer(files, recording.vectors))));
  }

  #format(profile: Profile): Iterable<string> {
    return this.#path.endsWith(".cpuprofile") ? cpuprofile(profile) : speedscope(profile, this.#title);
  }
}

type SymbolOptions = Pick<RunOptions, "symbols" | "kernel">;

/** What --symbols names, and a kernel that is an ELF file. @throws BadInput for a file that has no symbols. */
export function symbolFiles({ symbols, kernel }: SymbolOptions): SymbolFile[] {
  const files: SymbolFile[] = symbols.map(({ file, slide }) => ({ symbols: symbolsOf(load(file)), slide }));
  if (kernel !== undefined) {
    const { bytes } = load(kernel);
    if (isElf(bytes)) files.push({ symbols: readElfSymbols(bytes), slide: undefined });
  }
  return files;
}

function symbolsOf({ name, bytes }: NamedBytes): SymbolFile["symbols"] {
  const symbols = isElf(bytes) ? readElfSymbols(bytes) : readSystemMap(new TextDecoder("latin1").decode(bytes));
  if (symbols === undefined || symbols.length === 0) {
    throw new BadInput(`${name} has no symbols; give an ELF file that is not stripped, System.map or /proc/kallsyms`);
  }
  return symbols;
}
