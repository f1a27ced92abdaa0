import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";

export function declareLogs(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "logs <NAME>",
    summary: "show what the console of a machine that lasts or a domain has shown",
    description: "Shows what a machine's console has shown, since its first start, the last 8 MiB at least.",
    rows: { follow: { kind: "flag", flags: "-f, --follow", help: "go on with what comes, until ctrl-c" } },
    act: ({ follow }, [name]) =>
      withMachines(async (machines, node) => {
        const isDomain = node.knows(name as string);
        if (!isDomain) await machines.info({ name: name as string });
        const { consoleLog } = isDomain ? node.state.domain(name as string) : machines.state.machine(name as string);
        const abort = new AbortController();
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());
        process.stdout.on("error", () => abort.abort());
        const { readLog } = await import("../server/read-log.ts");
        const files = [`${consoleLog}.1`, consoleLog];
        for (const file of files) {
          for await (const bytes of readLog(file, follow && file === consoleLog, abort.signal)) {
            process.stdout.write(bytes);
          }
        }
        return abort.signal.aborted ? EXIT_STATUS.interrupted : EXIT_STATUS.ok;
      }),
  });
}
