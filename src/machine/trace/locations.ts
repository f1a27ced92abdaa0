import { type SymbolFile, Symbolizer } from "../profiling/symbolizer.ts";
import type { GuestSymbol } from "../profiling/symbols.ts";

/** Kernels that are told apart by where their exception vectors are; what is known of more is forgotten. */
const MOST_KERNELS = 16;
/** Addresses whose names are remembered. */
const MOST_NAMES = 1 << 14;

/** Names of addresses, for as many kernels as run one in the other. */
export class Locations {
  readonly #files: readonly SymbolFile[];
  readonly #hasKernel: boolean;
  readonly #byVectors = new Map<bigint, Symbolizer>();
  readonly #names = new Map<string, string>();

  constructor(files: readonly SymbolFile[]) {
    this.#files = files;
    this.#hasKernel = files.some(({ symbols }) => symbols.some(({ name }) => name === "vectors"));
  }

  /** Whether a kernel with these exception vectors has not been looked for yet. */
  isNew(vectors: bigint): boolean {
    return vectors !== 0n && !this.#byVectors.has(vectors);
  }

  /** A kernel with these exception vectors; `own`: the symbols that it has of itself. */
  add(vectors: bigint, own: () => readonly GuestSymbol[] | undefined): void {
    if (this.#byVectors.size >= MOST_KERNELS) this.#byVectors.clear();
    const files = [...this.#files];
    const symbols = this.#hasKernel ? undefined : own();
    // They are of the addresses at which it runs.
    if (symbols) files.push({ symbols, slide: 0n });
    this.#byVectors.set(vectors, new Symbolizer(files, vectors));
    this.#names.clear();
  }

  /** `vectors`: of the kernel that ran at that address. "-": there is no name for it. */
  name(address: bigint, vectors: bigint): string {
    const key = `${address} ${vectors}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      if (this.#names.size >= MOST_NAMES) this.#names.clear();
      name = this.#find(address, vectors);
      this.#names.set(key, name);
    }
    return name;
  }

  #find(address: bigint, vectors: bigint): string {
    const symbolizer = this.#byVectors.get(vectors) ?? this.#plain;
    const at = symbolizer.locate(address);
    return at === undefined ? "-" : at.offset === 0n ? at.name : `${at.name}+0x${at.offset.toString(16)}`;
  }

  /** Before any kernel runs. */
  get #plain(): Symbolizer {
    let plain = this.#byVectors.get(0n);
    if (plain === undefined) {
      plain = new Symbolizer(this.#files, undefined);
      this.#byVectors.set(0n, plain);
    }
    return plain;
  }
}
