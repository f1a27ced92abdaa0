// Calls of an object's functions from another thread, or from this one as if it were another: every call is a promise.

import { AtollError, asAtollError, type ErrorCode } from "./errors.ts";

/** The functions of `T`, each giving a promise. */
export type Remote<T> = {
  readonly [Name in keyof T as T[Name] extends (...args: never[]) => unknown ? Name : never]: T[Name] extends (
    ...args: infer Args
  ) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

type Functions = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** An object of this thread. Whatever it throws is an AtollError to its callers. */
export function local<T extends object>(target: T): Remote<T> {
  const call = async (name: string, args: unknown[]): Promise<unknown> => {
    try {
      return await (target as Functions)[name]?.(...args);
    } catch (error) {
      throw asAtollError(error);
    }
  };
  return proxy(call);
}

function proxy<T>(call: (name: string, args: unknown[]) => Promise<unknown>): Remote<T> {
  return new Proxy({} as Remote<T>, {
    // One that had a `then` would be taken for a promise.
    get: (_, name) =>
      typeof name === "symbol" || name === "then" ? undefined : (...args: unknown[]) => call(name, args),
  });
}

/** What the two ends of a port say to each other. */
type Message =
  | { readonly kind: "call"; readonly id: number; readonly name: string; readonly args: unknown[] }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "event"; readonly event: unknown };

/** A worker, or the worker's own global object, or a MessagePort. */
export interface Port {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
}

/** Lets the other end of a port call an object, and be told of events. Returns what tells them. */
export function serve<T extends object>(port: Port, target: T): (event: unknown) => void {
  const calls = local(target) as unknown as Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>;
  port.addEventListener("message", ({ data }) => {
    const message = data as Message;
    if (message.kind !== "call") return;
    const { id, name, args } = message;
    calls[name]?.(...args).then(
      (value) => port.postMessage({ kind: "result", id, value } satisfies Message),
      ({ code, message }: AtollError) => port.postMessage({ kind: "failure", id, code, message } satisfies Message),
    );
  });
  return (event) => port.postMessage({ kind: "event", event } satisfies Message);
}

/** The object that the other end of a port serves. `end`: no answer will come any more, for that reason. */
export function connect<T extends object>(
  port: Port,
  onEvent: (event: unknown) => void,
): { readonly remote: Remote<T>; end(reason: AtollError): void } {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: AtollError): void }>();
  let next = 0;
  let ended: AtollError | undefined;
  port.addEventListener("message", ({ data }) => {
    const message = data as Message;
    if (message.kind === "event") return onEvent(message.event);
    if (message.kind === "call") return;
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.kind === "result") call?.resolve(message.value);
    else call?.reject(new AtollError(message.code, message.message));
  });
  const remote = proxy<T>(
    (name, args) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        const id = next++;
        waiting.set(id, { resolve, reject });
        port.postMessage({ kind: "call", id, name, args } satisfies Message);
      }),
  );
  return {
    remote,
    end(reason) {
      ended ??= reason;
      for (const { reject } of waiting.values()) reject(ended);
      waiting.clear();
    },
  };
}
