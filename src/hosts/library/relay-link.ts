// A machine's network through a relay (`atoll relay`): each message of a WebSocket is a frame, and the relay is the user-mode network.

import type { NetworkLink } from "../../network/link.ts";
import { MessageLink } from "../../network/message-link.ts";
import { DEFAULT_MAC } from "../../network/plan.ts";
import { AtollError } from "./errors.ts";

/** The WebSocket subprotocol; a relay that wants a token has it after the dot. */
export const RELAY_PROTOCOL = "atoll-relay";
/** Bytes that wait to be sent; more are dropped. */
const WAITING_MAX = 4 * 0x100000;
/** Milliseconds between two tries of reaching a relay that has gone. */
const RETRY = 2000;

export interface RelayOptions {
  readonly url: string;
  readonly token?: string | undefined;
}

/** Connects to a relay. One that goes later is tried again; until then the cable is as if pulled. @throws AtollError "load" */
export async function openRelay(
  { url, token }: RelayOptions,
  wake: () => void,
): Promise<{ readonly links: readonly NetworkLink[]; close(): void }> {
  let socket: WebSocket | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;
  const link = new MessageLink(
    DEFAULT_MAC,
    (message) => {
      if (socket?.readyState === 1 && socket.bufferedAmount < WAITING_MAX) socket.send(message);
    },
    wake,
  );
  const protocols = token === undefined ? [RELAY_PROTOCOL] : [RELAY_PROTOCOL, `token.${token}`];
  const connect = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = new WebSocket(url, protocols);
      next.binaryType = "arraybuffer";
      next.onopen = () => {
        socket = next;
        link.announce();
        resolve();
      };
      next.onmessage = ({ data }) => {
        if (data instanceof ArrayBuffer) link.deliver(new Uint8Array(data));
      };
      next.onclose = () => {
        reject(new AtollError("load", `cannot reach the relay ${url}, or it refuses the token`));
        if (socket === undefined || isClosed) return;
        retry = setTimeout(() => connect().catch(() => {}), RETRY);
      };
    });
  await connect();
  return {
    links: [link],
    close: () => {
      isClosed = true;
      clearTimeout(retry);
      socket?.close();
    },
  };
}
