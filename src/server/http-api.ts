// Routes of an HTTP API, made of the descriptions of actions and of functions that do them.

import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type * as z from "zod";
import { type Action, ActionError, ERROR_CODES, type Progress, type Reply, STREAM_TYPE } from "../contract/action.ts";
import { asActionError, inWords } from "./errors.ts";

/** Does an action. @param progress says how far it is. @throws ActionError, BadInput, ImageError */
export type Handler<A extends Action> = (
  input: z.output<A["input"]>,
  progress: (progress: Progress) => void,
) => z.input<A["output"]> | Promise<z.input<A["output"]>>;

export type Handlers<Actions extends Readonly<Record<string, Action>>> = {
  readonly [Name in keyof Actions]: Handler<Actions[Name]>;
};

/** Bytes of a request's body: definitions are small. */
const BODY_MAX = 2 ** 20;

/** @param handlers of those actions that are served. */
export function httpApi<Actions extends Readonly<Record<string, Action>>>(
  actions: Actions,
  handlers: Partial<Handlers<Actions>>,
): Hono {
  const app = new Hono();
  app.use(
    bodyLimit({ maxSize: BODY_MAX, onError: () => failure(new ActionError("bad-input", "the request is too large")) }),
  );
  app.notFound(() => failure(new ActionError("bad-input", "there is no such action")));
  app.onError((error) => failure(asActionError(error)));
  for (const [name, action] of Object.entries(actions) as [keyof Actions & string, Action][]) {
    const handler = handlers[name] as Handler<Action> | undefined;
    if (handler === undefined) continue;
    app.on(action.method, action.path.replace(/\{(\w+)\}/g, ":$1"), async ({ req }) => {
      const given = action.method === "post" ? await json(await req.text()) : req.query();
      // What the path says counts.
      const input = action.input.safeParse({ ...given, ...(req.param() as object) });
      if (!input.success) throw new ActionError("bad-input", inWords(input.error));
      if (req.header("accept") === STREAM_TYPE) return streamed((progress) => handler(input.data, progress));
      return Response.json(await handler(input.data, () => {}));
    });
  }
  return app;
}

function json(text: string): object {
  if (text === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {}
  throw new ActionError("bad-input", "the request's body is no JSON object");
}

function failure({ code, message }: ActionError): Response {
  return Response.json({ error: { code, message } } satisfies Reply, { status: ERROR_CODES[code] });
}

/** An answer whose pieces are sent while the action is done. */
function streamed(act: (progress: (progress: Progress) => void) => unknown): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (reply: Reply): void => {
        // Who asked may have gone; what was asked for is done all the same.
        try {
          controller.enqueue(encoder.encode(`${JSON.stringify(reply)}\n`));
        } catch {}
      };
      try {
        send({ result: await act((progress) => send({ progress })) });
      } catch (error) {
        const { code, message } = asActionError(error);
        send({ error: { code, message } });
      }
      try {
        controller.close();
      } catch {}
    },
  });
  return new Response(body, { headers: { "content-type": STREAM_TYPE } });
}
