// A client of the HTTP API on a Unix socket.

import { type IncomingMessage, request } from "node:http";
import { type Action, ActionError, type Progress, type Reply, STREAM_TYPE } from "../contract/action.ts";

/** Nobody listens at the socket, or who did went away before the answer came. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

interface CallOptions {
  /** Milliseconds without a sign of life; endless where it is not given. */
  readonly timeout?: number;
  readonly progress?: (progress: Progress) => void;
}

/** Has an action done by whoever serves it there. @throws ActionError when it fails; NoAnswer */
export async function callAction<A extends Action>(
  socketPath: string,
  action: A,
  input: Readonly<Record<string, unknown>>,
  { timeout, progress }: CallOptions = {},
): Promise<unknown> {
  const rest = { ...input };
  const path = action.path.replace(/\{(\w+)\}/g, (_, key: string) => {
    delete rest[key];
    return encodeURIComponent(String(input[key]));
  });
  const post = action.method === "post";
  const query = post ? "" : `?${new URLSearchParams(Object.entries(rest).map(([key, value]) => [key, String(value)]))}`;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      {
        socketPath,
        // One connection for each call: the other end need not wait for it when it ends.
        agent: false,
        method: action.method.toUpperCase(),
        path: path + query,
        headers: { host: "localhost", accept: STREAM_TYPE, "content-type": "application/json" },
        ...(timeout === undefined ? {} : { timeout }),
      },
      resolve,
    );
    sent.on("timeout", () => sent.destroy(new NoAnswer("it does not answer")));
    sent.on("error", (error) => reject(error instanceof NoAnswer ? error : new NoAnswer(error.message)));
    sent.end(post ? JSON.stringify(rest) : undefined);
  });
  let text = "";
  try {
    for await (const piece of response.setEncoding("utf8")) {
      text += piece as string;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const reply = JSON.parse(text.slice(0, end)) as Reply;
        text = text.slice(end + 1);
        if ("progress" in reply) progress?.(reply.progress);
        else return resultOf(reply);
      }
    }
  } catch (error) {
    if (error instanceof ActionError) throw error;
    throw new NoAnswer((error as Error).message);
  }
  if (text === "") throw new NoAnswer("it went away");
  return resultOf(JSON.parse(text) as Exclude<Reply, { progress: Progress }>);
}

function resultOf(reply: Exclude<Reply, { progress: Progress }>): unknown {
  if ("error" in reply) throw new ActionError(reply.error.code, reply.error.message);
  return reply.result;
}
