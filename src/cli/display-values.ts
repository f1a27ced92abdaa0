// How the value of --display is read.

import type { DisplayDefinition } from "../contract/definition.ts";
import { VNC_PASSWORD } from "../contract/limits.ts";
import { FIRST_PORT, isLoopback, VNC_DISPLAYS } from "../contract/vnc.ts";
import type { TcpAddress } from "../hosts/node/listen.ts";
import { BadInput } from "../machine/runnable.ts";
import { parseTcpAddress } from "./tcp-address.ts";

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

/** A port below 100 is a display, and `auto` any that is free. */
function vncAddress(value: string): TcpAddress {
  const automatic = value.endsWith(":auto");
  const address = value.includes(":") ? parseTcpAddress(value.replace(/:auto$/, ":0")) : undefined;
  if (address === undefined) throw new BadInput("give vnc=[HOST]:DISPLAY, such as vnc=:0, which is port 5900");
  const { host, port } = address;
  return { host, port: !automatic && port < VNC_DISPLAYS ? FIRST_PORT + port : port };
}
