// A module says whether the memory that it imports is shared (WebAssembly threads, limits), and is no other kind's. Where the host has no
// shared memory to give, as a web page that is not cross-origin isolated, a machine's modules are told so when they are compiled.

const SECTION_IMPORT = 2;
const KIND = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;
/** Bit of the limits' flags. */
const SHARED = 2;
const HEADER_BYTES = 8;

/** Whether other threads may have the memory, too. */
export function isShared(memory: WebAssembly.Memory): boolean {
  return !(memory.buffer instanceof ArrayBuffer);
}

/** Compiles a module that imports a memory declared shared for the memory that it will get, unless it has been compiled as it is. */
export function moduleFor(memory: WebAssembly.Memory, bytes: Uint8Array | WebAssembly.Module): WebAssembly.Module {
  if (bytes instanceof WebAssembly.Module) return bytes;
  return new WebAssembly.Module((isShared(memory) ? bytes : withUnsharedMemory(bytes)) as Uint8Array<ArrayBuffer>);
}

/** A copy of a module whose imported memory is not shared. Atomic instructions work on that, too. */
export function withUnsharedMemory(module: Uint8Array): Uint8Array {
  const bytes = module.slice();
  let at = HEADER_BYTES;
  const u32 = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  const skipName = (): void => {
    const length = u32();
    at += length;
  };
  const skipLimits = (): void => {
    const flags = u32();
    u32();
    if (flags & 1) u32();
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const end = u32() + at;
    if (section !== SECTION_IMPORT) {
      at = end;
      continue;
    }
    for (let left = u32(); left > 0; left--) {
      skipName();
      skipName();
      const kind = bytes[at++];
      if (kind === KIND.memory) {
        bytes[at] = (bytes[at] as number) & ~SHARED;
        skipLimits();
      } else if (kind === KIND.table) {
        // A reference to a type (REF_TO) has the type's index behind it.
        if (bytes[at++] === 0x64) u32();
        skipLimits();
      } else if (kind === KIND.global) at += 2;
      else if (kind === KIND.tag) {
        at++;
        u32();
      } else u32();
    }
    return bytes;
  }
  return bytes;
}

/** The exports of a new instance. What a WebAssembly function takes and gives is checked by its users, not by types. */
export function instantiate(
  module: WebAssembly.Module,
  imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): WebAssembly.Instance["exports"] {
  return new WebAssembly.Instance(module, imports as never).exports;
}
