// What semihosting needs of the outside.

export type OpenMode = "read" | "write" | "append";

/** A file that a guest has opened. Each function throws Error, with a `code` of the system's, when the host fails. */
export interface SemihostingFile {
  /** Reads at a place into the whole of `into`, or less at the end of the file; gives how many bytes. */
  read(at: number, into: Uint8Array): number;
  /** Gives how many bytes. With mode "append" they go to the end of the file. */
  write(at: number, from: Uint8Array): number;
  length(): number;
  close(): void;
}

/** The files that a guest may reach: those of one directory. Names are the guest's. Each function throws as a file's do. */
export interface SemihostingFiles {
  /** `update`: reading and writing both. */
  open(name: string, mode: OpenMode, update: boolean): SemihostingFile;
  remove(name: string): void;
  rename(from: string, to: string): void;
  /** A name of a file that there is not; the same for the same number, as long as nobody makes it. */
  temporaryName(number: number): string;
}

export interface SemihostingHost {
  /** Undefined: a guest gets no files. */
  readonly files: SemihostingFiles | undefined;
  /** What SYS_GET_CMDLINE gives: the program's name and its arguments. */
  readonly commandLine: string;
}
