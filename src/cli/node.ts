// `atoll node`: the node in this process, as `atoll up` starts it, or a service manager.

import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareOptions, type OptionRows, readOptions } from "./option.ts";
import { reportError } from "./report.ts";
import { runService } from "./service.ts";
import { NODE_ROWS } from "./up.ts";

const ROWS = {
  ...NODE_ROWS,
  hold: {
    kind: "flag",
    flags: "--hold",
    help: "start no domain before atoll up has given its file, for a minute at most",
  },
} satisfies OptionRows;

export function declareNode(program: Command, done: (status: number) => void): void {
  const command = program
    .command("node")
    .summary("run the node in this process, for a service manager")
    .description(
      "Runs the node with the domains that it has in this process, until atoll down or SIGTERM. atoll up starts one in the background.",
    );
  declareOptions(command, ROWS);
  command.action(async (given: Record<string, unknown>) => {
    const { listen: tcp, migrations, migrationTls, hold } = readOptions(ROWS, given);
    await runService("node", async ({ ready }) => {
      const [{ runNode }, { StateDirectory, stateHome }] = await Promise.all([
        import("../server/domains/daemon.ts"),
        import("../server/state-directory.ts"),
      ]);
      await runNode(new StateDirectory(stateHome()), {
        ...{ tcp, migrations, migrationTls, hold },
        ready: (node) => {
          let signalled = false;
          ready(() => {
            const force = signalled;
            signalled = true;
            node.down({ force }, () => {}).catch((error: unknown) => process.exit(reportError(error)));
          });
        },
      });
    });
    done(EXIT_STATUS.ok);
  });
}
