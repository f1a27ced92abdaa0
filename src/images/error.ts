/** What kind of failure an image met. */
export type ImageFailure =
  /** The file is not what its format's specification allows: damaged, truncated or hostile. */
  | "corrupt"
  /** The file may be good, but uses something that Atoll does not have. */
  | "unsupported"
  /** The caller asks for what cannot be: a size out of range, an unknown snapshot. */
  | "refused"
  /** The host failed: no such file, no space, in use by another process. */
  | "host";

/** Why an image cannot be used. The message is one line that says what is wrong, with the image's name where it helps. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly failure: ImageFailure;

  constructor(failure: ImageFailure, message: string) {
    // Names of files come from images, too.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that are replaced
    super(message.replace(/[\x00-\x1f\x7f]/g, "?"));
    this.failure = failure;
  }
}

export function corrupt(message: string): ImageError {
  return new ImageError("corrupt", message);
}

export function unsupported(message: string): ImageError {
  return new ImageError("unsupported", message);
}

export function refused(message: string): ImageError {
  return new ImageError("refused", message);
}
