// The page: machines side by side.

import type { MachineConfiguration } from "../hosts/browser/index.ts";
import { byId } from "./element.ts";
import { MachineView } from "./machine-view.ts";
import { attempt, report, say } from "./messages.ts";
import { askForMachine } from "./new-machine.ts";
import { readLink } from "./share-link.ts";
import { setUpTheme } from "./theme.ts";

const views = new Set<MachineView>();
let number = 1;

function nextName(): string {
  return `machine ${number}`;
}

async function boot(name: string, configuration: MachineConfiguration): Promise<MachineView> {
  number++;
  const view = new MachineView({ name, configuration, onClosed: (closed) => views.delete(closed) }, byId("machines"));
  views.add(view);
  await view.start();
  return view;
}

async function ask(files: readonly File[] = []): Promise<void> {
  const wanted = await askForMachine(nextName(), files);
  if (wanted !== undefined) await boot(wanted.name, wanted.configuration);
}

function acceptDrops(): void {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) attempt(() => ask(files));
  });
}

function main(): void {
  setUpTheme();
  acceptDrops();
  byId("new").addEventListener("click", () => attempt(() => ask()));
  byId("isolation").textContent = crossOriginIsolated
    ? ""
    : "This site has no cross-origin isolation: machines do without shared memory.";
  // So that nothing is lost by a slip of the finger.
  addEventListener("beforeunload", (event) => {
    if ([...views].some(({ machine }) => machine?.state === "running" && isUsed)) event.preventDefault();
  });
  let isUsed = false;
  addEventListener(
    "keydown",
    () => {
      isUsed = true;
    },
    { once: true },
  );
  try {
    attempt(() => boot(nextName(), readLink(location.hash) ?? {}));
  } catch (error) {
    report(error);
  }
}

addEventListener("unhandledrejection", ({ reason }) => report(reason));
if (typeof WebAssembly === "undefined")
  say("problem", "This browser has no WebAssembly, or it is switched off: Atoll needs it.");
else main();
