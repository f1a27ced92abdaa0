import { local } from "./calls.ts";
import { asAtollError } from "./errors.ts";
import type { SessionAccess } from "./machine.ts";
import { type Platform, Session, type SessionEvent, type SessionRequest } from "./session.ts";

/** A machine in the thread of who uses it. @throws AtollError */
export async function openInThread(request: SessionRequest, platform: Platform): Promise<SessionAccess> {
  let listener: (event: SessionEvent) => void = () => {};
  try {
    const session = await Session.open(request, platform, (event) => listener(event));
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
