// Names of a guest's functions.

export interface GuestSymbol {
  readonly address: bigint;
  /** Bytes; 0: up to the next symbol. */
  readonly size: bigint;
  readonly name: string;
  /** Code, as opposed to data, which only ends a function that comes before it. */
  readonly code: boolean;
}

/** A function without a size that no symbol follows ends after so many bytes. */
const LAST_BYTES = 0x1_0000n;

/** Finds functions by address. */
export class SymbolTable {
  /** By address; one for each. */
  readonly #symbols: readonly GuestSymbol[];

  constructor(symbols: Iterable<GuestSymbol>) {
    const byAddress = new Map<bigint, GuestSymbol>();
    // Of several at one address the first stays, but code comes before data and what has a size before what has none.
    for (const symbol of symbols) {
      const other = byAddress.get(symbol.address);
      if (other === undefined || rank(symbol) > rank(other)) byAddress.set(symbol.address, symbol);
    }
    this.#symbols = [...byAddress.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  get size(): number {
    return this.#symbols.length;
  }

  /** The address of the first function with this name. */
  addressOf(name: string): bigint | undefined {
    return this.#symbols.find((s) => s.name === name)?.address;
  }

  /** The function that an address is in. */
  find(address: bigint): GuestSymbol | undefined {
    let low = 0;
    let high = this.#symbols.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#symbols[middle] as GuestSymbol).address <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#symbols[low - 1];
    if (!found?.code) return undefined;
    const bytes = found.size > 0n ? found.size : low < this.#symbols.length ? undefined : LAST_BYTES;
    return bytes === undefined || address < found.address + bytes ? found : undefined;
  }
}

const rank = ({ code, size }: GuestSymbol): number => (code ? 2 : 0) + (size > 0n ? 1 : 0);

/**
 * The symbols of System.map or /proc/kallsyms: lines of an address, a type, and a name. Undefined when the text is no such thing.
 * A kernel that hides its addresses shows them all as zero.
 */
export function readSystemMap(text: string): GuestSymbol[] | undefined {
  const symbols: GuestSymbol[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const [, address, type, name] = /^([0-9a-f]{8,16}) ([a-z?]) (\S+)/i.exec(line) ?? [];
    if (address === undefined || type === undefined || name === undefined) return undefined;
    const at = BigInt(`0x${address}`);
    if (at !== 0n && isName(name)) symbols.push({ address: at, size: 0n, name, code: /[tw]/i.test(type) });
  }
  return symbols.length > 0 ? symbols : undefined;
}

/** Mapping symbols ($x, $d) and local labels (.L) name no functions. */
export function isName(name: string): boolean {
  return name !== "" && !name.startsWith("$") && !name.startsWith(".L");
}
