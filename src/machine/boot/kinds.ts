// What a file is, by its content. Rows are tried in order: what is more specific comes first.

/** Kinds that can be booted, or that lead to one. */
export type Kind = "linux-image" | "zboot" | "elf" | "gzip" | "zstd" | "raw";

/** A known kind of file that cannot be booted, and what its user can do about that. */
export interface WrongKind {
  readonly what: string;
  readonly advice: string;
}

interface Row {
  readonly matches: (file: Reader) => boolean;
  readonly kind: Kind | WrongKind;
}

/** Little-endian integers of a file; zero past its end. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  u16(at: number): number {
    return at + 2 <= this.bytes.length ? this.#view.getUint16(at, true) : 0;
  }
  u32(at: number): number {
    return at + 4 <= this.bytes.length ? this.#view.getUint32(at, true) : 0;
  }
  /** Exact below 2^53. */
  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }
  /** Whether the characters of `text` are at `at`. */
  has(at: number, text: string): boolean {
    return Array.from(text).every((character, i) => this.bytes[at + i] === character.charCodeAt(0));
  }
}

const at =
  (offset: number, text: string) =>
  (file: Reader): boolean =>
    file.has(offset, text);
const both =
  (...conditions: ((file: Reader) => boolean)[]) =>
  (file: Reader): boolean =>
    conditions.every((condition) => condition(file));

const compressed = (name: string): WrongKind => ({
  what: `compressed with ${name}`,
  advice: "decompress it first (gzip and zstd need not be)",
});
const diskImage = (name: string, how = ""): WrongKind => ({ what: name, advice: `give it with --disk${how}` });
const otherKernel = (name: string): WrongKind => ({
  what: name,
  advice: "this machine needs a 64-bit Arm (arm64, aarch64) kernel",
});

const ROWS: readonly Row[] = [
  // Documentation/arch/arm64/booting.rst: "ARM\x64" at 56. A zboot file has that too, in its own header.
  { matches: both(at(0, "MZ"), at(4, "zimg")), kind: "zboot" },
  { matches: at(0x38, "ARM\x64"), kind: "linux-image" },
  { matches: at(0, "\x7fELF"), kind: "elf" },
  { matches: at(0, "\x1f\x8b\x08"), kind: "gzip" },
  { matches: at(0, "\x28\xb5\x2f\xfd"), kind: "zstd" },
  // Documentation/arch/x86/boot.rst
  { matches: both(at(0x1fe, "\x55\xaa"), at(0x202, "HdrS")), kind: otherKernel("an x86 Linux kernel") },
  { matches: (file) => file.u32(0x24) === 0x016f2818, kind: otherKernel("a 32-bit Arm Linux kernel (zImage)") },
  { matches: at(0x38, "RSC\x05"), kind: otherKernel("a RISC-V Linux kernel") },
  {
    matches: both(at(0, "MZ"), (file) => file.has(file.u32(0x3c), "PE\0\0")),
    kind: { what: "an EFI program, not a Linux kernel", advice: "start it from firmware (--bios)" },
  },
  {
    matches: at(0, "\x27\x05\x19\x56"),
    kind: { what: "an image for U-Boot (uImage)", advice: "extract the kernel with dumpimage" },
  },
  {
    matches: at(0, "\xd0\x0d\xfe\xed"),
    kind: { what: "a device tree", advice: "give it with --dtb (from a FIT image, extract the kernel with dumpimage)" },
  },
  {
    matches: at(0, "ANDROID!"),
    kind: { what: "an Android boot image", advice: "extract the kernel with unpack_bootimg" },
  },
  { matches: at(0, "07070"), kind: { what: "an initramfs (cpio archive)", advice: "give it with --initrd" } },
  { matches: at(0, "\xfd7zXZ\0"), kind: compressed("xz") },
  { matches: at(0, "BZh"), kind: compressed("bzip2") },
  { matches: at(0, "\x04\x22\x4d\x18"), kind: compressed("lz4") },
  { matches: at(0, "\x02\x21\x4c\x18"), kind: compressed("lz4") },
  { matches: at(0, "\x89LZO\0\r\n\x1a\n"), kind: compressed("lzo") },
  { matches: at(0, "PK\x03\x04"), kind: { what: "a zip archive", advice: "extract it first" } },
  { matches: at(257, "ustar"), kind: { what: "a tar archive", advice: "extract it first" } },
  { matches: at(0, "!<arch>\n"), kind: { what: "a Debian package or library", advice: "extract the kernel from it" } },
  { matches: at(0, "\xed\xab\xee\xdb"), kind: { what: "an RPM package", advice: "extract the kernel from it" } },
  { matches: at(0, "QFI\xfb"), kind: diskImage("a qcow2 disk image", ", made raw with qemu-img convert -O raw") },
  { matches: at(0, "hsqs"), kind: diskImage("a squashfs file system") },
  { matches: both(at(0x438, "\x53\xef"), at(0, "\0\0\0\0")), kind: diskImage("an ext file system") },
  { matches: at(0x8001, "CD001"), kind: diskImage("an ISO 9660 image", ",readonly") },
  { matches: at(512, "EFI PART"), kind: diskImage("a disk image with partitions") },
  { matches: isText, kind: { what: "a text file", advice: "give a kernel" } },
];

/** Long enough that no machine code looks like it by chance. */
const TEXT_BYTES = 32;

function isText({ bytes }: Reader): boolean {
  return (
    bytes.length >= TEXT_BYTES && bytes.subarray(0, 512).every((byte) => (byte >= 32 && byte < 127) || byte === 10)
  );
}

/** What a file is. Whatever no row knows is raw code. */
export function kindOf(bytes: Uint8Array): Kind | WrongKind {
  const file = new Reader(bytes);
  return ROWS.find((row) => row.matches(file))?.kind ?? "raw";
}
