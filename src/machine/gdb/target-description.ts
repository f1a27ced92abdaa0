// The target description (Debugging with GDB, G): what registers there are, in the order of their numbers (registers.ts).

const HEADER = `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0">
<architecture>aarch64</architecture>
`;

/** Fields of CPSR as SPSR_ELx holds them (Arm ARM C5.2.19). */
const CPSR_FIELDS: readonly (readonly [name: string, start: number, end: number])[] = [
  ["SP", 0, 0],
  ["EL", 2, 3],
  ["nRW", 4, 4],
  ["F", 6, 6],
  ["I", 7, 7],
  ["A", 8, 8],
  ["D", 9, 9],
  ["BTYPE", 10, 11],
  ["SSBS", 12, 12],
  ["IL", 20, 20],
  ["SS", 21, 21],
  ["PAN", 22, 22],
  ["UAO", 23, 23],
  ["DIT", 24, 24],
  ["TCO", 25, 25],
  ["V", 28, 28],
  ["C", 29, 29],
  ["Z", 30, 30],
  ["N", 31, 31],
];

/** [name, type of the element, elements] of the views of a vector register, and the union they are in. */
const VECTORS: readonly (readonly [id: string, type: string, count: number])[] = [
  ["v2d", "ieee_double", 2],
  ["v2u", "uint64", 2],
  ["v2i", "int64", 2],
  ["v4f", "ieee_single", 4],
  ["v4u", "uint32", 4],
  ["v4i", "int32", 4],
  ["v8f", "ieee_half", 8],
  ["v8u", "uint16", 8],
  ["v8i", "int16", 8],
  ["v16u", "uint8", 16],
  ["v16i", "int8", 16],
  ["v1u", "uint128", 1],
  ["v1i", "int128", 1],
];
/** The members of the union, each a union of the views of one width. */
const UNIONS: readonly (readonly [id: string, fields: readonly (readonly [name: string, type: string])[]])[] = [
  [
    "vnd",
    [
      ["f", "v2d"],
      ["u", "v2u"],
      ["s", "v2i"],
    ],
  ],
  [
    "vns",
    [
      ["f", "v4f"],
      ["u", "v4u"],
      ["s", "v4i"],
    ],
  ],
  [
    "vnh",
    [
      ["f", "v8f"],
      ["u", "v8u"],
      ["s", "v8i"],
    ],
  ],
  [
    "vnb",
    [
      ["u", "v16u"],
      ["s", "v16i"],
    ],
  ],
  [
    "vnq",
    [
      ["u", "v1u"],
      ["s", "v1i"],
    ],
  ],
  [
    "aarch64v",
    [
      ["d", "vnd"],
      ["s", "vns"],
      ["h", "vnh"],
      ["b", "vnb"],
      ["q", "vnq"],
    ],
  ],
];

/** The description, with these system registers. */
export function targetDescription(systemRegisters: readonly string[]): string {
  return `${HEADER}${core()}${floatingPoint()}${system(systemRegisters)}</target>\n`;
}

function feature(name: string, lines: readonly string[]): string {
  return `<feature name="${name}">\n${lines.map((line) => `${line}\n`).join("")}</feature>\n`;
}

function register(name: string, bits: number, type: string, more = ""): string {
  return `<reg name="${name}" bitsize="${bits}" type="${type}"${more}/>`;
}

function core(): string {
  return feature("org.gnu.gdb.aarch64.core", [
    ...Array.from({ length: 31 }, (_, n) => register(`x${n}`, 64, "int")),
    register("sp", 64, "data_ptr"),
    register("pc", 64, "code_ptr"),
    '<flags id="cpsr_flags" size="4">',
    ...CPSR_FIELDS.map(([name, start, end]) => `<field name="${name}" start="${start}" end="${end}"/>`),
    "</flags>",
    register("cpsr", 32, "cpsr_flags"),
  ]);
}

function floatingPoint(): string {
  return feature("org.gnu.gdb.aarch64.fpu", [
    ...VECTORS.map(([id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>`),
    ...UNIONS.flatMap(([id, fields]) => [
      `<union id="${id}">`,
      ...fields.map(([name, type]) => `<field name="${name}" type="${type}"/>`),
      "</union>",
    ]),
    ...Array.from({ length: 32 }, (_, n) => register(`v${n}`, 128, "aarch64v")),
    register("fpsr", 32, "int"),
    register("fpcr", 32, "int"),
  ]);
}

/** Under the name that QEMU gave the feature, so that what looks for it there finds it. */
function system(names: readonly string[]): string {
  return feature(
    "org.qemu.gdb.arm.sys.regs",
    names.map((name) => register(name, 64, "uint64", ' group="system"')),
  );
}
