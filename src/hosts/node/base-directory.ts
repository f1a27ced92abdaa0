import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Variables of the XDG base directory specification, and what stands for one that is not set, below the user's home. */
const DEFAULTS = { XDG_STATE_HOME: [".local", "state"], XDG_CACHE_HOME: [".cache"] } as const;

/** Atoll's folder in a base directory. A path that is not absolute is to be ignored, says the specification. */
export function inBaseDirectory(variable: keyof typeof DEFAULTS, environment: NodeJS.ProcessEnv): string {
  const { [variable]: set } = environment;
  return join(set && isAbsolute(set) ? set : join(homedir(), ...DEFAULTS[variable]), "atoll");
}
