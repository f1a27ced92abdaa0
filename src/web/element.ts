// Elements of the page, made in one expression.

type Child = Node | string | undefined | false;
type Properties<E> = { readonly [Name in keyof E]?: E[Name] | undefined } & {
  readonly attrs?: Readonly<Record<string, string>>;
};

/** Makes an element with properties, attributes and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties<HTMLElementTagNameMap[Name]> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  const { attrs = {}, ...plain } = properties;
  Object.assign(made, plain);
  for (const [attribute, value] of Object.entries(attrs)) made.setAttribute(attribute, value);
  made.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return made;
}

/** A button that does something that may fail: while it does, it cannot be pressed again. */
export function button(
  label: string,
  action: () => unknown,
  properties: Properties<HTMLButtonElement> = {},
): HTMLButtonElement {
  const made = element("button", { type: "button", ...properties }, label);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await action();
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

export function byId(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement;
}

/** Bytes for people. */
export function bytesText(bytes: number): string {
  for (const [unit, name] of [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ] as const) {
    if (bytes >= unit) return `${(bytes / unit).toFixed(bytes >= 10 * unit ? 0 : 1)} ${name}`;
  }
  return `${bytes} bytes`;
}
