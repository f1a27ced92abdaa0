import { connect } from "../library/calls.ts";
import { AtollError } from "../library/errors.ts";
import type { SessionAccess } from "../library/machine.ts";
import type { Session, SessionEvent, SessionRequest } from "../library/session.ts";
import type { OpenAnswer, OpenMessage } from "./worker.ts";

/** A machine in a worker of its own, so that the page never stalls. @throws AtollError */
export async function openInWorker(request: SessionRequest): Promise<SessionAccess> {
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
  try {
    worker.postMessage({ request, base: document.baseURI, port: port2 } satisfies OpenMessage, [port2]);
  } catch {
    worker.terminate();
    throw new AtollError("configuration", "the configuration has something that cannot be given to a worker");
  }
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
