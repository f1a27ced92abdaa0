import { local } from "./calls.ts";
import { checkConfiguration, type MachineConfiguration } from "./config.ts";
import { asAtollError } from "./errors.ts";
import type { SessionAccess } from "./machine.ts";
import { type Platform, Session, type SessionEvent } from "./session.ts";

/** A machine in the thread of who uses it. @throws AtollError */
export async function openInThread(configuration: MachineConfiguration, platform: Platform): Promise<SessionAccess> {
  let listener: (event: SessionEvent) => void = () => {};
  try {
    const session = await Session.open(checkConfiguration(configuration), platform, (event) => listener(event));
    return {
      session: local(session),
      onEvent: (next) => {
        listener = next;
      },
      terminate: () => {},
    };
  } catch (error) {
    throw asAtollError(error);
  }
}
