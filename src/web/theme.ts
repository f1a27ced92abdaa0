// Light or dark: as the system has it, until the user says otherwise.

import { byId } from "./element.ts";

const KEY = "atoll-theme";

export function setUpTheme(): void {
  const root = document.documentElement;
  const set = (theme: string | null): void => {
    if (theme === null) delete root.dataset.theme;
    else root.dataset.theme = theme;
    document.dispatchEvent(new Event("atoll-theme"));
  };
  set(localStorage.getItem(KEY));
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    const next = dark ? "light" : "dark";
    localStorage.setItem(KEY, next);
    set(next);
  });
}
