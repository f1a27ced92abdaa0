// How the value of --display is read.

import type { DisplayDefinition } from "../contract/definition.ts";
import { VNC_PASSWORD } from "../contract/limits.ts";
import { FIRST_PORT, isLoopback, VNC_DISPLAYS } from "../contract/vnc.ts";
import { BadInput } from "../machine/runnable.ts";

/** `none`, or `vnc[=[HOST]:DISPLAY|PORT][,password=TEXT|,password-file=FILE]`. */
export function display(value: string): DisplayDefinition {
  if (value === "none") return {};
  const [, address, rest = ""] = /^vnc(?:=([^,]*))?(,.*)?$/s.exec(value) ?? [];
  if (!/^vnc(?:[=,]|$)/.test(value)) throw new BadInput("give none or vnc, such as vnc=:0,password-file=secret");
  const [, name, given = ""] = /^,(password|password-file)=(.*)$/s.exec(rest) ?? [];
  if (rest !== "" && name === undefined) {
    throw new BadInput("after the address there may be ,password=TEXT or ,password-file=FILE");
  }
  const vnc = vncAddress(address ?? ":0");
  if (name === "password") {
    if (!VNC_PASSWORD.test(given))
      throw new BadInput("give a password of 1 to 8 ASCII characters: VNC looks at no more");
    return { vnc, password: given };
  }
  if (name === "password-file") {
    if (given === "") throw new BadInput("give the name of a file");
    return { vnc, passwordFile: given };
  }
  if (!isLoopback(vnc.host)) {
    throw new BadInput(
      "whoever reaches that address would own the guest: add ,password-file=FILE, or listen at 127.0.0.1",
    );
  }
  return { vnc };
}

/** Without a host: the loopback interface. `auto` is any port that is free. */
function vncAddress(value: string): { host: string; port: number } {
  const [, bracketed, name, where] = /^(?:\[([0-9a-f:.]+)\]|([^:]*)):(\d{1,5}|auto)$/i.exec(value) ?? [];
  const number = where === "auto" ? 0 : Number(where ?? -1);
  if (!(number >= 0 && number <= 65535)) {
    throw new BadInput("give vnc=[HOST]:DISPLAY, such as vnc=:0, which is port 5900");
  }
  const port = where === "auto" ? 0 : number < VNC_DISPLAYS ? FIRST_PORT + number : number;
  return { host: bracketed || name || "127.0.0.1", port };
}
