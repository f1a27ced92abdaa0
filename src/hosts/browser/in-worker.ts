import { connect } from "../library/calls.ts";
import { type CheckedConfiguration, checkConfiguration, type MachineConfiguration } from "../library/config.ts";
import { AtollError } from "../library/errors.ts";
import type { SessionAccess } from "../library/machine.ts";
import type { Session, SessionEvent } from "../library/session.ts";
import type { OpenAnswer, OpenMessage } from "./worker.ts";

/** URLs of a page are relative to the page, and the worker does not know where that is. */
function absolute(configuration: CheckedConfiguration): CheckedConfiguration {
  const url = <S>(source: S): S | string =>
    typeof source === "string" || source instanceof URL ? new URL(source, document.baseURI).href : source;
  const optional = (source: CheckedConfiguration["kernel"]): CheckedConfiguration["kernel"] =>
    source === undefined ? undefined : url(source);
  const { kernel, initrd, dtb, bios, load, disk } = configuration;
  return {
    ...configuration,
    kernel: optional(kernel),
    initrd: optional(initrd),
    dtb: optional(dtb),
    bios: optional(bios),
    load: load.map((each) => ({ ...each, file: url(each.file) })),
    disk: disk.map((each) => ({ ...each, file: url(each.file) })),
  };
}

/** A machine in a worker of its own, so that the page never stalls. @throws AtollError */
export async function openInWorker(configuration: MachineConfiguration): Promise<SessionAccess> {
  const checked = absolute(checkConfiguration(configuration));
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const { port1, port2 } = new MessageChannel();
  let listener: (event: SessionEvent) => void = () => {};
  const { remote, end } = connect<Session>(port1, (event) => listener(event as SessionEvent));
  port1.start();
  const opened = new Promise<void>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<OpenAnswer>) =>
      data.opened ? resolve() : reject(new AtollError(data.code, data.message));
    worker.onerror = ({ message }) => {
      const reason = message
        ? new AtollError("internal", message)
        : new AtollError("load", "cannot load the machine's worker: is the page complete, and the network there?");
      end(reason);
      listener({ kind: "ended", end: { reason: "error", message: reason.message } });
      reject(reason);
    };
  });
  worker.postMessage({ configuration: checked, port: port2 } satisfies OpenMessage, [port2]);
  try {
    await opened;
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return {
    session: remote,
    onEvent: (next) => {
      listener = next;
    },
    terminate: () => {
      end(new AtollError("state", "the machine is closed"));
      worker.terminate();
    },
  };
}
