// The dialog that asks what a new machine is to be.

import type { MachineConfiguration } from "../hosts/browser/index.ts";
import { button, element } from "./element.ts";
import { chooseFolder } from "./folders.ts";

export type Role = "kernel" | "initrd" | "bios" | "disk";

/** What is in a file, by its first bytes and its name: for dropped files, whose role nobody has said. */
export async function roleOf(file: File): Promise<Role> {
  const head = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  const text = (at: number, length: number): string => String.fromCharCode(...head.subarray(at, at + length));
  if (text(0x38, 4) === "ARMd" || text(0, 4) === "\x7fELF" || (text(0, 2) === "MZ" && text(4, 4) === "zimg"))
    return "kernel";
  // The archive of an initrd (newc), or one that is compressed.
  if (text(0, 5) === "07070" || /initr|cpio/i.test(file.name)) return "initrd";
  if (/^(image|vmlinuz|linux|kernel|zimage)/i.test(file.name)) return "kernel";
  if (/\.fd$|efi|u-boot|firmware|bios/i.test(file.name)) return "bios";
  return "disk";
}

interface Fields {
  readonly kernel: FileField;
  readonly initrd: FileField;
  readonly bios: FileField;
  readonly disk: FileField;
}

/** A file of this computer, or the address of one. */
class FileField {
  readonly place: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #url: HTMLInputElement;

  constructor(label: string, hint: string) {
    this.#input = element("input", { type: "file", attrs: { "aria-label": `${label}, a file` } });
    this.#url = element("input", {
      type: "url",
      placeholder: "or https://…",
      attrs: { "aria-label": `${label}, an address` },
    });
    this.place = element(
      "div",
      { className: "field" },
      element("span", {}, label),
      this.#input,
      this.#url,
      element("small", { className: "quiet-text" }, hint),
    );
  }

  set file(file: File) {
    const transfer = new DataTransfer();
    transfer.items.add(file);
    this.#input.files = transfer.files;
  }

  get value(): File | string | undefined {
    return this.#input.files?.[0] ?? (this.#url.value.trim() || undefined);
  }
}

/** By which guests mount the folder that the page shares. */
export const FOLDER_TAG = "folder";

/** A folder of this computer, where the browser lets pages have one. */
class FolderField {
  readonly place: HTMLElement;
  readonly #chosen = element("output", {}, "none");
  value: FileSystemDirectoryHandle | undefined;

  constructor() {
    this.place = element(
      "div",
      { className: "field", hidden: window.showDirectoryPicker === undefined },
      element("span", {}, "Shared folder"),
      button("Choose a folder", () => this.#choose()),
      this.#chosen,
      element(
        "small",
        { className: "quiet-text" },
        `The guest may change it: mount -t 9p -o trans=virtio,version=9p2000.L ${FOLDER_TAG} /mnt`,
      ),
    );
  }

  set folder(folder: FileSystemDirectoryHandle) {
    this.value = folder;
    this.#chosen.textContent = folder.name;
    this.place.hidden = false;
  }

  async #choose(): Promise<void> {
    const folder = await chooseFolder();
    if (folder) this.folder = folder;
  }
}

/** What the dialog's user wants. */
export interface Wanted {
  readonly name: string;
  readonly configuration: MachineConfiguration;
  /** A disk that is to be kept in this browser. */
  readonly keep: File | undefined;
}

export interface Dropped {
  readonly files: readonly File[];
  readonly folder?: FileSystemDirectoryHandle | undefined;
}

/** Shows the dialog. Undefined where the user thinks better of it. */
export async function askForMachine(
  suggestion: string,
  { files, folder: droppedFolder }: Dropped = { files: [] },
  stored: readonly string[] = [],
): Promise<Wanted | undefined> {
  const fields: Fields = {
    kernel: new FileField("Kernel", "Linux Image (plain or gzip), ELF, or raw. Without one: the embedded Linux."),
    initrd: new FileField("Initial RAM disk", "For the kernel."),
    disk: new FileField("Disk", "raw, qcow2, VMDK, VDI or VHDX; also .gz and .xz. Addresses are read in parts."),
    bios: new FileField("Firmware", "Such as U-Boot or EDK2, in place of a kernel."),
  };
  const folder = new FolderField();
  if (droppedFolder) folder.folder = droppedFolder;
  for (const file of files) fields[await roleOf(file)].file = file;
  const name = element("input", { value: suggestion, maxLength: 40, required: true });
  const memory = element(
    "select",
    {},
    ...["128M", "256M", "512M", "1G", "2G"].map((size) =>
      element("option", { value: size, selected: size === "512M" }, size),
    ),
  );
  const cpus = element("input", { type: "number", value: "1", min: "1", max: "8" });
  const append = element("input", { placeholder: "console=ttyAMA0", attrs: { spellcheck: "false" } });
  const keep = element("input", { type: "checkbox" });
  const display = element("input", { type: "checkbox" });
  const boot = element("input", { type: "checkbox" });
  const el2 = element("input", { type: "checkbox" });
  const el3 = element("input", { type: "checkbox" });
  const kept = element(
    "select",
    {},
    element("option", { value: "" }, "none"),
    ...stored.map((file) => element("option", { value: file }, file)),
  );
  const network = element(
    "select",
    {},
    element("option", { value: "" }, "none"),
    element("option", { value: "switch" }, "the other machines of this page"),
    element("option", { value: "relay" }, "the Internet, through a relay"),
  );
  const relay = element("input", {
    placeholder: "ws://localhost:8765/",
    attrs: { "aria-label": "Relay's address" },
  });
  const token = element("input", { placeholder: "token", attrs: { "aria-label": "Relay's token" } });
  const label = (text: string, input: HTMLElement, ...more: HTMLElement[]): HTMLElement =>
    element("label", {}, element("span", {}, text), input, ...more);
  const check = (text: string, input: HTMLElement): HTMLElement =>
    element("label", { className: "check" }, input, text);
  const relayFields = element(
    "div",
    { className: "field wide", hidden: true },
    element("span", {}, "Relay: run atoll relay on a computer that you trust, and give what it says"),
    relay,
    token,
  );
  network.addEventListener("change", () => {
    relayFields.hidden = network.value !== "relay";
  });
  const form: HTMLFormElement = element(
    "form",
    { method: "dialog" },
    element("h2", {}, "New machine"),
    element(
      "div",
      { className: "fields" },
      label("Name", name),
      label("Memory", memory),
      label("Processors", cpus),
      label("Network", network),
      relayFields,
      fields.kernel.place,
      fields.initrd.place,
      fields.disk.place,
      fields.bios.place,
      folder.place,
      stored.length > 0 && label("Disk that is kept in this browser", kept),
      element("label", { className: "wide" }, element("span", {}, "Kernel command line"), append),
      check("Keep the disk, and what is written to it, in this browser", keep),
      check("Boot it, where it would start from a snapshot of the booted guest", boot),
      check("Display, keyboard and pointer", display),
      check("Virtualization: EL2 for the guest", el2),
      check("Secure state: EL3 for the guest", el3),
    ),
    element(
      "div",
      { className: "end" },
      button("Cancel", (): void => dialog.close("cancel")),
      element("button", { type: "submit", className: "primary", value: "boot" }, "Boot"),
    ),
  );
  const dialog: HTMLDialogElement = element("dialog", { attrs: { "aria-label": "New machine" } }, form);
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  dialog.remove();
  if (dialog.returnValue !== "boot") return undefined;
  const disk = fields.disk.value;
  const isKept = keep.checked && disk instanceof File;
  const disks = [
    ...(kept.value ? [{ file: { opfs: kept.value } }] : []),
    ...(disk === undefined || isKept ? [] : [{ file: disk, snapshot: true }]),
  ];
  const { kernel, initrd, bios } = fields;
  return {
    name: name.value.trim() || suggestion,
    configuration: {
      ...(kernel.value && { kernel: kernel.value }),
      ...(initrd.value && { initrd: initrd.value }),
      ...(bios.value && { bios: bios.value }),
      ...(append.value && { append: append.value }),
      memory: memory.value,
      cpus: Number(cpus.value) || 1,
      machine: { virtualization: el2.checked, secure: el3.checked },
      disk: disks,
      ...(display.checked && { display: {} }),
      ...(boot.checked && { boot: true }),
      ...(folder.value && { share: [{ folder: folder.value, tag: FOLDER_TAG }] }),
      ...(network.value === "switch" && { net: { kind: "switch", name: "page" } as const }),
      ...(network.value === "relay" && {
        net: {
          kind: "relay",
          url: relay.value || relay.placeholder,
          ...(token.value && { token: token.value }),
        } as const,
      }),
    },
    keep: isKept ? disk : undefined,
  };
}
