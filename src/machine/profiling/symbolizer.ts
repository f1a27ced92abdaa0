import { type GuestSymbol, SymbolTable } from "./symbols.ts";

export interface SymbolFile {
  readonly symbols: readonly GuestSymbol[];
  /** What to add to its addresses, modulo 2^64; undefined: found from the exception vectors, where the file has them. */
  readonly slide: bigint | undefined;
}

/** The symbol of Linux's exception vectors, which VBAR_EL1 points to. */
const VECTORS = "vectors";
/** Linux is moved by whole pages. */
const PAGE = 0xfffn;

interface Slid {
  readonly table: SymbolTable;
  readonly slide: bigint;
}

/** Names addresses of a guest by several tables of symbols; the first one that knows an address counts. */
export class Symbolizer {
  readonly #tables: readonly Slid[];

  /** `vectors`: VBAR_EL1, by which kernels are found that have moved to a random address (KASLR). */
  constructor(files: readonly SymbolFile[], vectors: bigint | undefined) {
    this.#tables = files.map(({ symbols, slide }) => {
      const table = new SymbolTable(symbols);
      return { table, slide: slide ?? slideOf(table, vectors) };
    });
  }

  /** The function's name; undefined where none is known. */
  name(address: bigint): string | undefined {
    return this.#find(address)?.symbol.name;
  }

  /** The function's name, and how far into it the address is; undefined where none is known. */
  locate(address: bigint): { readonly name: string; readonly offset: bigint } | undefined {
    const found = this.#find(address);
    return (
      found && { name: found.symbol.name, offset: BigInt.asUintN(64, address - found.slide) - found.symbol.address }
    );
  }

  /** Whether two addresses are in one function; undefined when that of either is not known. */
  readonly sameFunction = (a: bigint, b: bigint): boolean | undefined => {
    const [one, other] = [this.#find(a), this.#find(b)];
    return one === undefined || other === undefined ? undefined : one.symbol === other.symbol;
  };

  #find(address: bigint): { readonly symbol: GuestSymbol; readonly slide: bigint } | undefined {
    for (const { table, slide } of this.#tables) {
      const symbol = table.find(BigInt.asUintN(64, address - slide));
      if (symbol !== undefined) return { symbol, slide };
    }
    return undefined;
  }
}

function slideOf(table: SymbolTable, vectors: bigint | undefined): bigint {
  const linked = table.addressOf(VECTORS);
  if (linked === undefined || vectors === undefined || vectors === 0n) return 0n;
  const slide = vectors - linked;
  return (slide & PAGE) === 0n ? slide : 0n;
}
