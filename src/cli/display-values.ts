// How the value of --display is read.

import type { VncAddress } from "../hosts/node/vnc-socket.ts";
import { BadInput } from "../machine/runnable.ts";

/** Port of display 0. */
export const FIRST_PORT = 5900;
/** Numbers below it are displays, as VNC viewers have it. */
export const DISPLAYS = 100;
const PASSWORD_BYTES = 8;

export interface DisplayOption {
  /** undefined: nobody is shown the display, but there is one. */
  readonly vnc: VncAddress | undefined;
  readonly password: { readonly text: string } | { readonly file: string } | undefined;
}

/** `none`, or `vnc[=[HOST]:DISPLAY|PORT][,password=TEXT|,password-file=FILE]`. */
export function display(value: string): DisplayOption {
  if (value === "none") return { vnc: undefined, password: undefined };
  const [, address, name, given] = /^vnc(?:=([^,]*))?(?:,(password|password-file)=(.*))?$/s.exec(value) ?? [];
  if (!/^vnc(?:[=,]|$)/.test(value)) throw new BadInput("give none or vnc, such as vnc=:0,password-file=secret");
  if (value.replace(/^vnc(=[^,]*)?/, "") !== "" && name === undefined) {
    throw new BadInput("after the address there may be ,password=TEXT or ,password-file=FILE");
  }
  if (name === "password") checkPassword(given as string);
  if (name === "password-file" && given === "") throw new BadInput("give the name of a file");
  const password = name === undefined ? undefined : name === "password" ? { text: given! } : { file: given! };
  const vnc = vncAddress(address ?? ":0");
  if (password === undefined && !isLoopback(vnc.host)) {
    throw new BadInput(
      "whoever reaches that address would own the guest: add ,password-file=FILE, or listen at 127.0.0.1",
    );
  }
  return { vnc, password };
}

/** Without a host: the loopback interface. `auto` is any port that is free, as 0. */
function vncAddress(value: string): VncAddress {
  const [, bracketed, name, where] = /^(?:\[([0-9a-f:.]+)\]|([^:]*)):(\d{1,5}|auto)$/i.exec(value) ?? [];
  const number = where === "auto" ? 0 : Number(where ?? -1);
  if (!(number >= 0 && number <= 65535))
    throw new BadInput("give vnc=[HOST]:DISPLAY, such as vnc=:0, which is port 5900");
  const port = where === "auto" ? 0 : number < DISPLAYS ? FIRST_PORT + number : number;
  return { host: bracketed || name || "127.0.0.1", port };
}

/** @throws BadInput for one that VNC cannot have. */
export function checkPassword(password: string): void {
  if (!/^[ -~]+$/.test(password)) throw new BadInput("give a password of ASCII characters");
  if (password.length > PASSWORD_BYTES) {
    throw new BadInput(`give a password of at most ${PASSWORD_BYTES} characters: VNC looks at no more of them`);
  }
}

/** Whether what is listened at there can only be reached from this computer. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
