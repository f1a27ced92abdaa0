// The display of `atoll run`: its VNC server, and pictures of it.

import { load, save } from "../hosts/node/files.ts";
import { screenshot } from "../hosts/node/png.ts";
import { vncAuthentication } from "../hosts/node/vnc-password.ts";
import { VncSocket } from "../hosts/node/vnc-socket.ts";
import { zlibStream } from "../hosts/node/zlib-stream.ts";
import { BadInput, type RunnableMachine } from "../machine/runnable.ts";
import { RfbServer } from "../network/rfb/server.ts";
import { checkPassword, DISPLAYS, type DisplayOption, FIRST_PORT } from "./display-values.ts";

const PASSWORD_FILE_MAX = 0x1_0000;

function readPassword(password: DisplayOption["password"]): Uint8Array | undefined {
  if (password === undefined) return undefined;
  if ("text" in password) return new TextEncoder().encode(password.text);
  const { name, bytes } = load(password.file, PASSWORD_FILE_MAX);
  const [line = ""] = new TextDecoder().decode(bytes).split(/\r?\n/);
  try {
    checkPassword(line);
  } catch (error) {
    throw new BadInput(`--display: the first line of ${name} is the password: ${(error as BadInput).message}`);
  }
  return new TextEncoder().encode(line);
}

export interface DisplayServer {
  /** For people: where clients connect. */
  readonly description: string;
  close(): void;
}

/**
 * @param happened the guest may have something to do.
 * @throws BadInput when the address or the password cannot be used.
 */
export async function serveDisplay(
  option: DisplayOption | undefined,
  { display, input }: Pick<RunnableMachine, "display" | "input">,
  happened: () => void,
): Promise<DisplayServer | undefined> {
  if (option?.vnc === undefined || display === undefined || input === undefined) return undefined;
  const password = readPassword(option.password);
  const rfb = new RfbServer({
    ...{ display, input, happened, name: "Atoll", deflater: zlibStream },
    authentication: password && vncAuthentication(password),
    now: () => performance.now(),
    later: (milliseconds, action) => void setTimeout(action, milliseconds),
  });
  const socket = await VncSocket.listen(option.vnc, rfb, password !== undefined);
  const { host } = option.vnc;
  const name = host.includes(":") ? `[${host}]` : host;
  const { port } = socket;
  const number = port >= FIRST_PORT && port < FIRST_PORT + DISPLAYS ? `${port - FIRST_PORT}` : `:${port}`;
  const lock = password === undefined ? "no password" : "with the password";
  return {
    description: `VNC viewers may connect, ${lock}: vncviewer ${name}:${number}, or ws://${name}:${port} for noVNC`,
    close: () => socket.close(),
  };
}

/** Writes what the display shows to a PNG file. @returns text for people: empty when it has been done. */
export function screendump(display: RunnableMachine["display"], file: string): string {
  if (display === undefined) return "there is no display; give --display\n";
  const picture = screenshot(display);
  if (picture === undefined) return "the guest shows nothing yet\n";
  try {
    save(file, picture);
  } catch (error) {
    if (error instanceof BadInput) return `${error.message}\n`;
    throw error;
  }
  return "";
}
