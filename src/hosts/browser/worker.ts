// The worker that a machine runs in, or one that translates for it.

import { serve } from "../library/calls.ts";
import { asAtollError, type ErrorCode } from "../library/errors.ts";
import { Session, type SessionEvent, type SessionRequest } from "../library/session.ts";
import { browserPlatform } from "./platform.ts";
import { type RegionsMessage, serveRegions } from "./region-thread.ts";

/** The first and only message to the worker itself; `port` serves the session. */
export interface OpenMessage {
  readonly request: SessionRequest;
  /** What URLs of the page are relative to. */
  readonly base: string;
  readonly port: MessagePort;
}

/** The worker's answer. */
export type OpenAnswer = { readonly opened: true } | { readonly opened: false; code: ErrorCode; message: string };

addEventListener(
  "message",
  async ({ data }: MessageEvent<OpenMessage | RegionsMessage>) => {
    if ("setup" in data) return serveRegions(data);
    const answer = (answer: OpenAnswer): void => (globalThis as unknown as Worker).postMessage(answer);
    let tell: (event: SessionEvent) => void = () => {};
    try {
      const platform = browserPlatform(data.base, ({ code, message }) =>
        tell({ kind: "problem", problem: { code, message } }),
      );
      const session = await Session.open(data.request, platform, (event) => tell(event));
      tell = serve(data.port, session);
      data.port.start();
      answer({ opened: true });
    } catch (error) {
      const { code, message } = asAtollError(error);
      answer({ opened: false, code, message });
    }
  },
  { once: true },
);
