/** What the command's exit status says. docs/cli.md explains each. */
export const EXIT_STATUS = {
  /** The guest powered off, or the user left with ctrl-a x or the monitor's quit. */
  ok: 0,
  /** A bad option, a file that cannot be used, too little memory. */
  badInput: 2,
  /** The guest reset the machine, as a panic does too, and --no-reboot was given. */
  guestReset: 3,
  /** --timeout passed. */
  timeout: 4,
  /** A disk image is damaged, and its data may be, too. */
  corruptImage: 5,
  /** atoll image check: clusters that nobody uses any more, and nothing worse. */
  leakyImage: 6,
  /** atoll isa audit --run: something contradicts the description or the condition. */
  auditFailed: 7,
  /** There is no machine of that name. */
  noSuchMachine: 8,
  /** The machine runs already, or does not run, or there is one of that name, or another command is at work on it. */
  wrongState: 9,
  /** atoll up: a domain could not be started. */
  domainFailed: 11,
  /** A snapshot cannot be used: it is damaged, of a newer Atoll, or does not fit. */
  badSnapshot: 10,
  /** atoll inspect guard, or watch: the guarded kernel was changed, or something tried to; a watched page was accessed. */
  violated: 12,
  /** The guest did not refresh its watchdog in time, and --watchdog fail was given. */
  watchdog: 13,
  /** A defect of Atoll's. (EX_SOFTWARE of sysexits.h.) */
  internal: 70,
  /** SIGINT, SIGTERM or SIGHUP, or nobody reads the output any more. */
  interrupted: 130,
} as const;
