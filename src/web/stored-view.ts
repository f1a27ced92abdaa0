// The dialog of what this browser keeps.

import { button, bytesText, element } from "./element.ts";
import { report } from "./messages.ts";
import * as storage from "./storage.ts";

export interface StoredActions {
  restore(snapshot: storage.StoredSnapshot): Promise<void>;
  bootDisk(name: string): Promise<void>;
}

/** Shows it until its user closes it, or chooses something. */
export async function showStored(actions: StoredActions): Promise<void> {
  const content = element("div");
  const dialog: HTMLDialogElement = element(
    "dialog",
    { attrs: { "aria-label": "Stored in this browser" } },
    element("h2", {}, "Stored in this browser"),
    content,
    element(
      "div",
      { className: "end" },
      button("Close", (): void => dialog.close()),
    ),
  );
  const attempt =
    (action: () => Promise<unknown>): (() => Promise<void>) =>
    async () => {
      try {
        await action();
      } catch (error) {
        dialog.close();
        report(error);
      }
    };
  const leave = (action: () => Promise<unknown>): (() => Promise<void>) =>
    attempt(() => {
      dialog.close();
      return action();
    });
  const draw = async (): Promise<void> => {
    const [snapshots, disks, space] = await Promise.all([storage.snapshots(), storage.disks(), storage.space()]);
    const again = (action: () => Promise<unknown>): (() => Promise<void>) =>
      attempt(async () => {
        await action();
        await draw();
      });
    content.replaceChildren(
      table(
        "Snapshots",
        "A machine's Save keeps it here.",
        snapshots.map((snapshot) => [
          `${snapshot.name}, ${snapshot.saved.toLocaleString()}`,
          snapshot.bytes,
          button(
            "Restore",
            leave(() => actions.restore(snapshot)),
            { className: "primary" },
          ),
          button(
            "Download",
            attempt(async () => download(await storage.snapshotFile(snapshot.name))),
          ),
          button(
            "Remove",
            again(() => storage.removeSnapshot(snapshot.name)),
          ),
        ]),
      ),
      table(
        "Disks",
        "New machine can keep a disk here; what is written to it stays.",
        disks.map(({ name, bytes }) => [
          name,
          bytes,
          button(
            "Boot",
            leave(() => actions.bootDisk(name)),
            { className: "primary" },
          ),
          button(
            "Download",
            attempt(async () => download(await storage.diskFile(name))),
          ),
          button(
            "Remove",
            again(() => storage.removeDisk(name)),
          ),
        ]),
      ),
      element(
        "p",
        { className: "quiet-text" },
        space ? `${bytesText(space.used)} used of about ${bytesText(space.all)} that the browser gives this site.` : "",
      ),
    );
  };
  document.body.append(dialog);
  try {
    await draw();
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  } finally {
    dialog.remove();
  }
}

type Row = readonly [name: string, bytes: number, ...actions: HTMLButtonElement[]];

function table(title: string, hint: string, rows: readonly Row[]): HTMLElement {
  if (rows.length === 0)
    return element("section", {}, element("h3", {}, title), element("p", { className: "quiet-text" }, `None. ${hint}`));
  return element(
    "section",
    {},
    element("h3", {}, title),
    element(
      "table",
      {},
      ...rows.map(([name, bytes, ...actions]) =>
        element(
          "tr",
          {},
          element("td", {}, name),
          element("td", { className: "number" }, bytesText(bytes)),
          element("td", {}, element("div", { className: "tools" }, ...actions)),
        ),
      ),
    ),
  );
}

function download(file: File): void {
  const url = URL.createObjectURL(file);
  element("a", { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
