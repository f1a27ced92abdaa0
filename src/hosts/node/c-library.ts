// Functions of Linux's C library for which Node has no call of its own, by its interface to such libraries (node:ffi). There may be none: Node got it
// in version 26, and whoever starts Node may forbid it. So whatever is done with it is done in another way, or said to be impossible.

type Ffi = typeof import("node:ffi");

export interface CLibrary {
  /** madvise(2) of these bytes, which start at a page. @returns 0, or -1 for an error. */
  madvise(bytes: Uint8Array, advice: number): number;
  /** ioctl(2), with what it reads and writes, or a number. @returns -1 for an error. */
  ioctl(descriptor: number, request: number, argument: Uint8Array | number): number;
}

let found: CLibrary | null | undefined;

export function cLibrary(): CLibrary | undefined {
  if (found === undefined) found = find() ?? null;
  return found ?? undefined;
}

function find(): CLibrary | undefined {
  // Others have other numbers for the same.
  if (process.platform !== "linux") return undefined;
  try {
    const ffi = withoutWarning(() => process.getBuiltinModule("node:ffi") as Ffi);
    const { functions } = ffi.dlopen(null, {
      madvise: { arguments: ["pointer", "uint64", "int32"], return: "int32" },
      ioctl: { arguments: ["int32", "uint64", "pointer"], return: "int32" },
    });
    return {
      madvise: (bytes, advice) => functions.madvise(ffi.getRawPointer(bytes), BigInt(bytes.length), advice),
      ioctl: (descriptor, request, argument) =>
        functions.ioctl(
          descriptor,
          BigInt(request),
          typeof argument === "number" ? BigInt(argument) : ffi.getRawPointer(argument),
        ),
    };
  } catch {
    return undefined;
  }
}

/** Node says that its interface may change. */
function withoutWarning<T>(action: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return action();
  } finally {
    process.emitWarning = emitWarning;
  }
}
