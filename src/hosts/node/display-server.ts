// A machine's display as its definition wants it shown, and pictures of it.

import type { DisplayDefinition } from "../../contract/definition.ts";
import { VNC_PASSWORD } from "../../contract/limits.ts";
import { FIRST_PORT, isLoopback, VNC_DISPLAYS } from "../../contract/vnc.ts";
import { BadInput, type RunnableMachine } from "../../machine/runnable.ts";
import { RfbServer } from "../../network/rfb/server.ts";
import { load, save } from "./files.ts";
import { screenshot } from "./png.ts";
import { vncAuthentication } from "./vnc-password.ts";
import { VncSocket } from "./vnc-socket.ts";
import { zlibStream } from "./zlib-stream.ts";

const PASSWORD_FILE_MAX = 0x1_0000;

export interface DisplayServer {
  /** For people: where clients connect. */
  readonly description: string;
  readonly address: { readonly host: string; readonly port: number };
  close(): void;
}

/**
 * @param happened the guest may have something to do.
 * @returns undefined where the display is shown to nobody. @throws BadInput when the address or the password cannot be used.
 */
export async function serveDisplay(
  { vnc, password, passwordFile }: DisplayDefinition,
  { display, input }: Pick<RunnableMachine, "display" | "input">,
  happened: () => void,
): Promise<DisplayServer | undefined> {
  if (vnc === undefined || display === undefined || input === undefined) return undefined;
  const secret = passwordFile === undefined ? password : readPassword(passwordFile);
  if (secret === undefined && !isLoopback(vnc.host)) {
    throw new BadInput(`VNC at ${vnc.host}: whoever reaches that address would own the guest; give it a password`);
  }
  const rfb = new RfbServer({
    ...{ display, input, happened, name: "Atoll", deflater: zlibStream },
    authentication: secret === undefined ? undefined : vncAuthentication(new TextEncoder().encode(secret)),
    now: () => performance.now(),
    later: (milliseconds, action) => void setTimeout(action, milliseconds).unref(),
  });
  const socket = await VncSocket.listen(vnc, rfb, secret !== undefined);
  const host = vnc.host.includes(":") ? `[${vnc.host}]` : vnc.host;
  const { port } = socket;
  const number = port >= FIRST_PORT && port < FIRST_PORT + VNC_DISPLAYS ? `${port - FIRST_PORT}` : `:${port}`;
  const lock = secret === undefined ? "no password" : "with the password";
  return {
    description: `VNC viewers may connect, ${lock}: vncviewer ${host}:${number}, or ws://${host}:${port} for noVNC`,
    address: { host: vnc.host, port },
    close: () => socket.close(),
  };
}

function readPassword(file: string): string {
  const { name, bytes } = load(file, PASSWORD_FILE_MAX);
  const [line = ""] = new TextDecoder().decode(bytes).split(/\r?\n/);
  if (!VNC_PASSWORD.test(line)) {
    throw new BadInput(`${name}: its first line is the password of the display: 1 to 8 ASCII characters`);
  }
  return line;
}

/** Writes what the display shows to a PNG file. @throws BadInput where it shows nothing, or the file cannot be written. */
export function screendump({ display }: Pick<RunnableMachine, "display">, file: string): void {
  if (display === undefined) throw new BadInput("there is no display; give --display");
  const picture = screenshot(display);
  if (picture === undefined) throw new BadInput("the guest shows nothing yet");
  save(file, picture);
}
