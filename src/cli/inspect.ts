import type { Command } from "commander";
import {
  ACCESS_KINDS,
  address,
  type GuardInfo,
  KERNEL_SYMBOLS,
  kernelKnowledge,
  MOST_MEMORY,
  MOST_WATCHED,
  type WatchInfo,
} from "../contract/introspection.ts";
import { MACHINE_NAME } from "../contract/limits.ts";
import { load } from "../hosts/node/files.ts";
import { readSystemMap } from "../machine/profiling/symbols.ts";
import { BadInput } from "../machine/runnable.ts";
import type { NodeClient } from "../server/domains/client.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { ProgressLine, withMachines } from "./machine-command.ts";
import { declareOptions, type OptionRows, type Parsed, readOptions } from "./option.ts";
import { count, file, word } from "./option-values.ts";
import { say } from "./report.ts";
import { table } from "./table.ts";

const ROWS = {
  json: { kind: "flag", flags: "--json", help: "print JSON" },
  symbols: {
    kind: "value",
    flags: "--symbols <FILE>",
    parse: file,
    help: "System.map of a kernel that runs where it was linked",
  },
  offsets: {
    kind: "value",
    flags: "--offsets <FILE>",
    parse: file,
    help: 'JSON: where members are in struct task_struct and struct module, {"task": {...}, "module": {...}}',
  },
  cpu: { kind: "value", flags: "--cpu <N>", parse: count(0, 511), help: "memory, watch: whose virtual addresses (0)" },
  physical: { kind: "flag", flags: "--physical", help: "memory, watch: the address is an intermediate physical one" },
  mode: {
    kind: "value",
    flags: "--mode <MODE>",
    parse: word("stop", "report", "off"),
    help: "guard, watch: stop pauses the domain before an access, report only notes it, off ends it",
  },
  for: {
    kind: "value",
    flags: "--for <KINDS>",
    parse: kindsOf,
    help: "watch: read, write, execute, with commas between them (write)",
  },
} satisfies OptionRows;

type Options = Parsed<typeof ROWS>;
type Look = (node: NodeClient, name: string, options: Options, args: readonly string[]) => Promise<number>;

export function declareInspect(program: Command, done: (status: number) => void): void {
  const command = program
    .command("inspect <NAME> <WHAT> [ARGUMENTS...]")
    .summary("look into a domain from outside: processes, modules, registers, memory, guard, watched pages")
    .description(
      "Looks into a running domain without its guest's help. WHAT is processes, modules, registers, memory ADDRESS LENGTH, watch ADDRESS [LENGTH], or guard: without " +
        "--mode that shows whether the guarded kernel is as it was, and watch without an address what was done to watched pages; the exit status says so.",
    );
  declareOptions(command, ROWS);
  command.action(async (name: string, what: string, args: string[], given: Record<string, unknown>) => {
    if (!MACHINE_NAME.test(name)) throw new BadInput(`${name}: this is no domain's name`);
    const look = Object.hasOwn(LOOKS, what) ? LOOKS[what as keyof typeof LOOKS] : undefined;
    if (look === undefined) throw new BadInput(`${what}: give one of ${Object.keys(LOOKS).join(", ")}`);
    if (look !== memory && look !== watch && args.length > 0) throw new BadInput(`${what} takes no ${args[0]}`);
    const options = readOptions(ROWS, given);
    done(
      await withMachines(async (machines, node) => {
        if (!node.knows(name)) {
          await machines.info({ name });
          throw new BadInput(`${name} is a machine: only domains can be looked into`);
        }
        return look(node, name, options, args);
      }),
    );
  });
}

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

/** What the options say of the guest's kernel. */
function kernelOf({ symbols, offsets }: Options) {
  if (symbols === undefined && offsets === undefined) return {};
  const text = (name: string): string => new TextDecoder().decode(load(name).bytes);
  const found = symbols === undefined ? [] : readSystemMap(text(symbols));
  if (found === undefined) throw new BadInput(`--symbols ${symbols}: this is no System.map`);
  const chosen = found.filter((each) => KERNEL_SYMBOLS.includes(each.name));
  let given: unknown = {};
  try {
    if (offsets !== undefined) given = JSON.parse(text(offsets));
  } catch (error) {
    if (error instanceof SyntaxError) throw new BadInput(`--offsets ${offsets}: this is no JSON`);
    throw error;
  }
  const known = kernelKnowledge.pick({ task: true, module: true }).safeParse(given);
  if (!known.success) {
    const [issue] = known.error.issues;
    throw new BadInput(`--offsets ${offsets}: ${issue?.path.join(".")}: ${issue?.message}`);
  }
  const addresses = Object.fromEntries(chosen.map((each) => [each.name, `0x${each.address.toString(16)}`]));
  return { kernel: { ...known.data, ...(symbols === undefined ? {} : { symbols: addresses }) } };
}

/** A list of the guest kernel's, of which the end may be missing. */
function printList(seen: { readonly broken?: string | undefined }, rows: readonly string[][], json: boolean): number {
  if (json) print(seen);
  else process.stdout.write(table(rows));
  if (seen.broken !== undefined) say(`there may be more: ${seen.broken}`);
  return EXIT_STATUS.ok;
}

const processes: Look = async (node, name, options) => {
  const input = { name, ...kernelOf(options) };
  const seen = await ProgressLine.during((show) => node.ask("processes", input, show));
  const rows = seen.processes.map((each) => [
    ...[String(each.pid), String(each.parent), each.state],
    each.kernel ? `[${each.name}]` : each.name,
  ]);
  return printList(seen, [["PID", "PARENT", "STATE", "NAME"], ...rows], options.json);
};

const modules: Look = async (node, name, options) => {
  const input = { name, ...kernelOf(options) };
  const seen = await ProgressLine.during((show) => node.ask("modules", input, show));
  const rows = seen.modules.map((each) => [each.name, String(each.size), each.state, each.address]);
  return printList(seen, [["NAME", "BYTES", "STATE", "STRUCT MODULE"], ...rows], options.json);
};

const registers: Look = async (node, name, { json }) => {
  const seen = await node.ask("registers", { name });
  if (json) print(seen);
  else {
    for (const [index, cpu] of seen.cpus.entries()) {
      process.stdout.write(`CPU ${index}, ${cpu.status}\n`);
      const cells = cpu.registers.map((each) => `${each.name.padEnd(15)} ${each.value}`);
      const half = Math.ceil(cells.length / 2);
      process.stdout.write(table(cells.slice(0, half).map((cell, i) => [cell, cells[half + i] ?? ""])));
    }
  }
  return EXIT_STATUS.ok;
};

function kindsOf(text: string): (typeof ACCESS_KINDS)[number][] {
  return text.split(",").map(word(...ACCESS_KINDS));
}

function checkAddress(at: string): void {
  if (!address.safeParse(at).success)
    throw new BadInput(`${at}: give an address as 0x and up to 16 hexadecimal digits`);
}

function lengthOf(text: string, most: number): number {
  try {
    return count(1, most)(text);
  } catch (error) {
    throw error instanceof BadInput ? new BadInput(`length ${text}: ${error.message}`) : error;
  }
}

const memory: Look = async (node, name, { json, cpu, physical }, [at, length, ...more]) => {
  if (at === undefined || length === undefined || more.length > 0)
    throw new BadInput("give an address and a length: atoll inspect NAME memory 0xffff800080000000 64");
  checkAddress(at);
  const bytes = lengthOf(length, MOST_MEMORY);
  const seen = await node.ask("memory", { name, address: at, length: bytes, physical, cpu: cpu ?? 0 });
  if (json) print(seen);
  else process.stdout.write(dump(BigInt(at), Buffer.from(seen.bytes, "base64")));
  return EXIT_STATUS.ok;
};

/** As hexdump -C. */
function dump(at: bigint, bytes: Uint8Array): string {
  let text = "";
  for (let line = 0; line < bytes.length; line += 16) {
    const part = [...bytes.subarray(line, line + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const shown = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    text += `${(at + BigInt(line)).toString(16).padStart(16, "0")}  ${digits.padEnd(47)}  |${shown}|\n`;
  }
  return text;
}

const guard: Look = async (node, name, options) => {
  const { mode, json } = options;
  const seen = await (mode === undefined
    ? node.ask("guarded", { name })
    : ProgressLine.during((show) => node.ask("guard", { name, mode, ...kernelOf(options) }, show)));
  if (json) print(seen);
  else printGuard(name, seen);
  return seen.intact && seen.violations.length === 0 ? EXIT_STATUS.ok : EXIT_STATUS.violated;
};

function printGuard(name: string, { mode, pages, missing, intact, violations, dropped }: GuardInfo): void {
  if (mode === "off") {
    process.stdout.write(`${name} is not guarded\n`);
    return;
  }
  const state = intact ? "as it was" : "changed";
  process.stdout.write(`${name}: ${pages} pages of its kernel are guarded (${mode}), and ${state}\n`);
  if (missing.length > 0) say(`not guarded, as its address is not known: ${missing.join(", ")}`);
  for (const { what, part, address: at, vcpu, pc } of violations) {
    const who = vcpu === undefined ? "" : ` by CPU ${vcpu}, PC ${pc}`;
    process.stdout.write(`${what}: ${part} at ${at}${who}\n`);
  }
  if (dropped > 0) process.stdout.write(`and ${dropped} more\n`);
}

const watch: Look = async (node, name, { mode, json, cpu, physical, for: kinds }, [at, length, ...more]) => {
  if (more.length > 0)
    throw new BadInput("give an address and a length: atoll inspect NAME watch 0xffff800080000000 64");
  if (at !== undefined) checkAddress(at);
  const bytes = length === undefined ? {} : { length: lengthOf(length, MOST_WATCHED) };
  const what = { ...(at === undefined ? {} : { address: at }), ...bytes, ...(kinds && { kinds }) };
  const seen = await (at === undefined && mode === undefined
    ? node.ask("watched", { name })
    : node.ask("watch", { name, ...what, physical, cpu: cpu ?? 0, ...(mode && { mode }) }));
  if (json) print(seen);
  else printWatch(name, seen);
  return seen.accesses.length === 0 ? EXIT_STATUS.ok : EXIT_STATUS.violated;
};

function printWatch(name: string, { mode, pages, kinds, accesses, dropped }: WatchInfo): void {
  if (mode === "off") {
    process.stdout.write(`${name}: nothing is watched\n`);
    return;
  }
  process.stdout.write(
    `${name}: ${pages === 1 ? "a page is" : `${pages} pages are`} watched for ${kinds.join(", ")} (${mode})\n`,
  );
  for (const { access, address: at, vcpu, pc } of accesses)
    process.stdout.write(`${access} at ${at} by ${vcpu === undefined ? "a device" : `CPU ${vcpu}, PC ${pc}`}\n`);
  if (dropped > 0) process.stdout.write(`and ${dropped} more\n`);
}

const LOOKS = { processes, modules, registers, memory, guard, watch };
