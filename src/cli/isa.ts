// `atoll isa`: what the processor's one description says, and whether it holds.

import type { Command } from "commander";
import { CPU_MODELS, modelFeatures } from "../arch/cpu-models.ts";
import { loadPackageFile } from "../hosts/node/files.ts";
import { BadInput, type CpuModel } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareOptions, type OptionRows, type Parsed, readOptions } from "./option.ts";
import { controls, word } from "./option-values.ts";

const AUDIT_OPTIONS = {
  cpu: {
    ...{ kind: "value", flags: "--cpu <MODEL>", parse: word<CpuModel>("cortex-a72", "max"), default: "max" },
    help: "processor: cortex-a72 or max",
  },
  run: { kind: "flag", flags: "--run", help: "run everything at EL0 and EL1 under EL2 with its traps set" },
  without: {
    ...{ kind: "value", flags: "--without <CONTROLS>", parse: controls },
    help: "with --run: leave these traps out, as in HCR_EL2.TTLB,HCR_EL2.TWI",
  },
  json: { kind: "flag", flags: "--json", help: "print JSON" },
} as const satisfies OptionRows;

export function declareIsa(program: Command, done: (status: number) => void): void {
  const isa = program
    .command("isa")
    .summary("what the processor has")
    .description("What the processor has.")
    .helpCommand(false);
  isa.action(() => {
    throw new BadInput("give audit, as in atoll isa audit; atoll isa --help tells more");
  });
  const command = isa
    .command("audit")
    .summary("privileges, sensitivity and traps of every instruction and system register")
    .description(
      "Prints every A64 instruction, system register and system instruction with the exception levels it exists at, whether it is " +
        "privileged, whether it is sensitive in Popek and Goldberg's sense, and what traps it; with --run, checks their condition.",
    );
  declareOptions(command, AUDIT_OPTIONS);
  command.action(async (given: Record<string, unknown>) => {
    done(await isaAudit(readOptions(AUDIT_OPTIONS, given)));
  });
}

async function isaAudit({ cpu, run, without, json }: Parsed<typeof AUDIT_OPTIONS>): Promise<number> {
  const { audit } = await import("../machine/audit/audit.ts");
  const { auditItems } = await import("../machine/audit/items.ts");
  const { auditJson, tablesText, verdictText } = await import("../machine/audit/report.ts");
  const items = auditItems(cpu, modelFeatures(CPU_MODELS[cpu], { el2: true, el3: true, gicv3: true }));
  const artifacts = () => ({
    native: loadPackageFile("build", "native.wasm"),
    interpreter: loadPackageFile("build", "interpreter.wasm"),
    handlers: new TextDecoder().decode(loadPackageFile("build", "interpreter.json")),
  });
  const findings = run ? audit({ cpu, artifacts: artifacts(), without, items }) : undefined;
  if (json) process.stdout.write(`${JSON.stringify(auditJson(cpu, items, findings), undefined, 1)}\n`);
  else {
    process.stdout.write(tablesText(items, findings));
    if (findings) process.stdout.write(`\n${verdictText(findings)}`);
  }
  return findings?.some(({ problems }) => problems.length > 0) ? EXIT_STATUS.auditFailed : EXIT_STATUS.ok;
}
