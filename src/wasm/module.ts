import { ByteWriter } from "./bytes.ts";
import type { FunctionCode } from "./code.ts";
import { type FunctionType, TYPE_CODES } from "./types.ts";

const SECTION = { custom: 0, type: 1, import: 2, function: 3, table: 4, export: 7, element: 9, code: 10 } as const;

/** A function defined in a module: its index, for calls and exports, and its body. */
export interface DefinedFunction {
  readonly index: number;
  readonly typeIndex: number;
  code: FunctionCode | undefined;
}

/** Of all functions of one type, none of them null, and as many as ever: what calls through it checks neither type nor null. */
export interface FunctionTable {
  readonly type: FunctionType;
  readonly size: number;
}

const REF_TO = 0x64;
const REF_FUNC = 0xd2;
const END = 0x0b;

/** Assembles a module (WebAssembly 3.0, section 5.5). Imports come before the first function. */
export class ModuleWriter {
  readonly #types: FunctionType[] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports = new ByteWriter();
  #importCount = 0;
  #importedFunctions = 0;
  readonly #functions: DefinedFunction[] = [];
  readonly #exports = new ByteWriter();
  #exportCount = 0;
  readonly #tables = new ByteWriter();
  #tableCount = 0;
  readonly #elements = new ByteWriter();
  #elementCount = 0;

  /** The index of a function type. */
  type(type: FunctionType): number {
    const key = `${type.params.join()}>${type.results.join()}`;
    let index = this.#typeIndex.get(key);
    if (index === undefined) {
      index = this.#types.push(type) - 1;
      this.#typeIndex.set(key, index);
    }
    return index;
  }

  /** Imports a shared memory of at most 65536 pages. */
  importMemory(module: string, name: string, initial: number): void {
    this.#import(module, name, 2);
    this.#imports.byte(3);
    this.#imports.u32(initial);
    this.#imports.u32(65536);
  }

  importTable(module: string, name: string, table: FunctionTable): void {
    this.#import(module, name, 1);
    this.#tableType(this.#imports, table);
  }

  /** Defines the module's table, every entry of which is `initial` at first, and exports it. */
  exportTable(name: string, table: FunctionTable, initial: DefinedFunction): void {
    this.#tables.raw([0x40, 0]);
    this.#tableType(this.#tables, table);
    reference(this.#tables, initial);
    this.#tableCount++;
    this.#exports.name(name);
    this.#exports.raw([1, 0]);
    this.#exportCount++;
  }

  importFunction(module: string, name: string, type: FunctionType): number {
    if (this.#functions.length > 0) throw new TypeError("imports come before the first function");
    const index = this.type(type);
    this.#import(module, name, 0);
    this.#imports.u32(index);
    return this.#importedFunctions++;
  }

  /** Declares a function; its code is given later, so that functions may call each other. */
  function(type: FunctionType): DefinedFunction {
    const defined: DefinedFunction = {
      index: this.#importedFunctions + this.#functions.length,
      typeIndex: this.type(type),
      code: undefined,
    };
    this.#functions.push(defined);
    return defined;
  }

  export(name: string, f: DefinedFunction): void {
    this.#exports.name(name);
    this.#exports.byte(0);
    this.#exports.u32(f.index);
    this.#exportCount++;
  }

  /** Puts functions of one type into the table from index `offset` on, when the module is instantiated. */
  elements(offset: number, type: FunctionType, functions: readonly DefinedFunction[]): void {
    this.#elements.raw([6, 0, 0x41]);
    this.#elements.s32(offset);
    this.#elements.byte(END);
    this.#elements.byte(REF_TO);
    this.#elements.s32(this.type(type));
    this.#elements.u32(functions.length);
    for (const f of functions) reference(this.#elements, f);
    this.#elementCount++;
  }

  /** The module's bytes. Throws TypeError if a declared function has no code. */
  finish(): Uint8Array {
    const out = new ByteWriter();
    out.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const types = new ByteWriter();
    for (const { params, results } of this.#types) {
      types.byte(0x60);
      for (const list of [params, results]) {
        types.u32(list.length);
        types.raw(list.map((t) => TYPE_CODES[t]));
      }
    }
    section(out, SECTION.type, this.#types.length, types);
    section(out, SECTION.import, this.#importCount, this.#imports);
    const functions = new ByteWriter();
    const bodies = new ByteWriter();
    for (const f of this.#functions) {
      if (!f.code) throw new TypeError(`function ${f.index} has no code`);
      functions.u32(f.typeIndex);
      f.code.encode(bodies);
    }
    section(out, SECTION.function, this.#functions.length, functions);
    if (this.#tableCount > 0) section(out, SECTION.table, this.#tableCount, this.#tables);
    section(out, SECTION.export, this.#exportCount, this.#exports);
    if (this.#elementCount > 0) section(out, SECTION.element, this.#elementCount, this.#elements);
    this.#branchHints(out);
    section(out, SECTION.code, this.#functions.length, bodies);
    return out.view().slice();
  }

  /** Section metadata.code.branch_hint, which comes before the code. */
  #branchHints(out: ByteWriter): void {
    const hinted = this.#functions.filter((f) => f.code?.hasHints);
    if (hinted.length === 0) return;
    const content = new ByteWriter();
    content.name("metadata.code.branch_hint");
    content.u32(hinted.length);
    for (const f of hinted) {
      content.u32(f.index);
      f.code?.encodeHints(content);
    }
    out.byte(SECTION.custom);
    out.u32(content.length);
    out.append(content);
  }

  #tableType(to: ByteWriter, { type, size }: FunctionTable): void {
    to.byte(REF_TO);
    to.s32(this.type(type));
    to.byte(1);
    to.u32(size);
    to.u32(size);
  }

  #import(module: string, name: string, kind: number): void {
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.byte(kind);
    this.#importCount++;
  }
}

/** A constant expression: a reference to a function. */
function reference(to: ByteWriter, f: DefinedFunction): void {
  to.byte(REF_FUNC);
  to.u32(f.index);
  to.byte(END);
}

function section(out: ByteWriter, id: number, count: number, content: ByteWriter): void {
  const head = new ByteWriter();
  head.u32(count);
  out.byte(id);
  out.u32(head.length + content.length);
  out.append(head);
  out.append(content);
}
