// What a machine does, for people who learn: each tab is one question, asked again while it is open.

import type {
  HotCode,
  InterruptView,
  ListRegisterView,
  Machine,
  PeReport,
  Statistic,
  Walk,
} from "../hosts/browser/index.ts";
import { button, element } from "./element.ts";
import { ExceptionsTab } from "./exceptions-tab.ts";
import { report } from "./messages.ts";

/** Milliseconds between two looks. */
const PERIOD = 500;

/** One tab. It is drawn into `place`, and again with each look. */
export interface Tab {
  readonly title: string;
  readonly place: HTMLElement;
  look(machine: Machine): Promise<void>;
  /** It is not shown any more. */
  leave?(machine: Machine): Promise<void>;
}

class RegistersTab implements Tab {
  readonly title = "Registers";
  readonly place = element("div");
  #before = new Map<string, string>();

  async look(machine: Machine): Promise<void> {
    const pes = await machine.processors();
    const now = new Map<string, string>();
    const shown = pes.map((pe) => this.#draw(pe, now));
    this.#before = now;
    this.place.replaceChildren(...shown);
  }

  #draw(pe: PeReport, now: Map<string, string>): HTMLElement {
    const cell = ([name, value]: readonly [string, string]): HTMLElement => {
      const key = `${pe.index} ${name}`;
      now.set(key, value);
      const isChanged = this.#before.has(key) && this.#before.get(key) !== value;
      return element(
        "div",
        { className: isChanged ? "changed" : "" },
        element("span", {}, name),
        element("span", {}, value),
      );
    };
    const power = pe.power === "on" ? (pe.waiting ? "waits for an interrupt" : "runs") : pe.power;
    const levels = [0, 1, 2, 3].map((level) =>
      element("span", { className: pe.power === "on" && pe.level === level ? "now" : "" }, `EL${level}`),
    );
    return element(
      "section",
      {},
      element(
        "div",
        { className: "levels" },
        element("strong", {}, `CPU ${pe.index}`),
        ...levels,
        element("span", {}, power),
        element("span", {}, `flags ${pe.flags}`),
        element("span", {}, `masked ${pe.masks}`),
      ),
      element(
        "div",
        { className: "registers" },
        cell(["PC", pe.pc]),
        ...pe.registers.map(cell),
        ...pe.system.map(cell),
      ),
    );
  }
}

class TranslationTab implements Tab {
  readonly title = "Translation";
  readonly place: HTMLElement;
  readonly #address = element("input", {
    placeholder: "address, as PC",
    attrs: { "aria-label": "Virtual address", spellcheck: "false" },
  });
  readonly #level = element(
    "select",
    { attrs: { "aria-label": "Exception level" } },
    ...[0, 1, 2, 3].map((el) => element("option", { value: String(el), selected: el === 1 }, `EL${el}`)),
  );
  readonly #cpu = element("input", { type: "number", min: "0", value: "0", attrs: { "aria-label": "CPU" } });
  readonly #result = element("div");
  #isWanted = true;

  constructor() {
    const walk = element("button", { type: "submit", className: "primary" }, "Walk");
    const form = element(
      "form",
      { className: "walk" },
      element("label", {}, "Address ", this.#address),
      element("label", {}, "read at ", this.#level),
      element("label", {}, "by CPU ", this.#cpu),
      walk,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#isWanted = true;
    });
    this.place = element("div", {}, form, this.#result);
  }

  async look(machine: Machine): Promise<void> {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    const cpu = Number(this.#cpu.value);
    if (this.#address.value === "") {
      const pe = (await machine.processors())[cpu];
      this.#address.value = pe?.pc ?? "";
      this.#level.value = String(pe?.level ?? 1);
    }
    try {
      this.#draw(await machine.walk(cpu, this.#address.value, Number(this.#level.value)));
    } catch (error) {
      this.#result.replaceChildren(element("p", {}, (error as Error).message));
    }
  }

  #draw(walk: Walk): void {
    const rows = walk.steps.map((step) =>
      element(
        "tr",
        { className: `stage${step.stage}` },
        element("td", {}, `stage ${step.stage}, level ${step.level}`),
        element(
          "td",
          { className: "mono" },
          step.address === step.physical ? step.physical : `${step.address} = ${step.physical}`,
        ),
        element("td", { className: "mono" }, step.descriptor),
        element("td", {}, step.kind),
        element("td", {}, step.text),
      ),
    );
    const end =
      walk.physical === undefined ? `Faults: ${walk.outcome}.` : `Physical address ${walk.physical}: ${walk.outcome}.`;
    this.#result.replaceChildren(
      element(
        "p",
        {},
        element("strong", {}, end),
        walk.steps.length === 0 && " No table is read: translation is off at this level.",
      ),
      ...(rows.length > 0
        ? [element("table", {}, header("Step", "Descriptor at", "Descriptor", "Kind", "What it says"), ...rows)]
        : []),
    );
  }
}

class InterruptsTab implements Tab {
  readonly title = "Interrupts";
  readonly place = element("div");

  async look(machine: Machine): Promise<void> {
    const { lines, listRegisters } = await machine.interrupts();
    const mark = (set: boolean, word: string): string => (set ? word : "");
    const row = (view: InterruptView): HTMLElement =>
      element(
        "tr",
        { className: view.pending || view.active ? "changed" : "" },
        element("td", { className: "number" }, String(view.id)),
        element("td", {}, view.name),
        element("td", {}, view.cpu === undefined ? "shared" : `CPU ${view.cpu}`),
        element(
          "td",
          {},
          [mark(view.enabled, "enabled"), mark(view.pending, "pending"), mark(view.active, "active")]
            .filter(Boolean)
            .join(", "),
        ),
        element("td", { className: "number" }, `0x${view.priority.toString(16)}`),
      );
    const list = (view: ListRegisterView): HTMLElement =>
      element(
        "tr",
        {},
        element("td", {}, `CPU ${view.cpu}, LR${view.index}`),
        element("td", {}, `virtual INTID ${view.virtualId}`),
        element("td", {}, view.state),
        element("td", {}, view.physicalId === undefined ? "of software" : `of physical INTID ${view.physicalId}`),
      );
    this.place.replaceChildren(
      element(
        "p",
        {},
        "A device's line makes its interrupt pending; the guest acknowledges it, which makes it active, until it ends it. A hypervisor hands it on in a list register.",
      ),
      element(
        "table",
        {},
        header("INTID", "Of", "For", "State", "Priority"),
        ...lines.filter(({ id, pending, active }) => id > 15 || pending || active).map(row),
      ),
      ...(listRegisters.length > 0
        ? [element("table", {}, header("List register", "Interrupt", "State", "Source"), ...listRegisters.map(list))]
        : []),
      element(
        "p",
        { className: "quiet-text" },
        listRegisters.length === 0
          ? "No list register is in use: no hypervisor has handed an interrupt to a guest now."
          : "",
      ),
    );
  }
}

class HotCodeTab implements Tab {
  readonly title = "Hot code";
  readonly place = element("div");
  #shares = new Map<string, HotCode>();

  async look(machine: Machine): Promise<void> {
    const found = await machine.hotCode(15);
    // What was hot fades: a share is half of what it was with each look.
    for (const [key, old] of this.#shares) this.#shares.set(key, { ...old, share: old.share / 2 });
    for (const code of found) {
      const key = `${code.level} ${code.address}`;
      this.#shares.set(key, { ...code, share: (this.#shares.get(key)?.share ?? 0) + code.share / 2 });
    }
    const shown = [...this.#shares.values()].sort((a, b) => b.share - a.share).slice(0, 15);
    this.#shares = new Map(shown.map((code) => [`${code.level} ${code.address}`, code]));
    const row = ({ name, address, level, share }: HotCode): HTMLElement =>
      element(
        "tr",
        {},
        element("td", { className: "number" }, `${(share * 100).toFixed(1)} %`),
        element("td", {}, `EL${level}`),
        element("td", {}, name),
        element("td", { className: "mono" }, address),
      );
    this.place.replaceChildren(
      element(
        "p",
        {},
        "Where the processors were found between two slices. Functions of a Linux kernel have its own names; applications are shown by page.",
      ),
      element(
        "table",
        {},
        header("Share", "Level", "Code", "From"),
        ...shown.filter(({ share }) => share >= 0.001).map(row),
      ),
    );
  }
}

class CountersTab implements Tab {
  readonly title = "Counters";
  readonly place = element("div");

  async look(machine: Machine): Promise<void> {
    const counters = await machine.statistics();
    const value = ({ value, unit }: Statistic): string =>
      unit === "seconds" ? `${value.toFixed(3)} s` : Math.round(value).toLocaleString();
    this.place.replaceChildren(
      element(
        "table",
        {},
        ...counters.map((each) =>
          element(
            "tr",
            {},
            element("td", {}, each.section),
            element("td", {}, each.name),
            element("td", { className: "number" }, value(each)),
          ),
        ),
      ),
    );
  }
}

export function header(...titles: readonly string[]): HTMLElement {
  return element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
}

export class InspectorView {
  readonly place: HTMLElement;
  readonly #machine: () => Machine | undefined;
  readonly #tabs: readonly Tab[] = [
    new RegistersTab(),
    new TranslationTab(),
    new ExceptionsTab(),
    new InterruptsTab(),
    new HotCodeTab(),
    new CountersTab(),
  ];
  readonly #buttons: readonly HTMLButtonElement[];
  readonly #panel = element("div", { tabIndex: 0, attrs: { role: "tabpanel" } });
  #shown: Tab;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;

  constructor(name: string, machine: () => Machine | undefined) {
    this.#machine = machine;
    this.#shown = this.#tabs[0] as Tab;
    this.#buttons = this.#tabs.map((tab) => button(tab.title, () => this.#show(tab), { attrs: { role: "tab" } }));
    const list = element("div", { attrs: { role: "tablist", "aria-label": `What ${name} does` } }, ...this.#buttons);
    list.addEventListener("keydown", ({ key }) => {
      const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
      const next = (this.#tabs.indexOf(this.#shown) + step + this.#tabs.length) % this.#tabs.length;
      if (step !== 0) this.#show(this.#tabs[next] as Tab);
      if (step !== 0) this.#buttons[next]?.focus();
    });
    this.place = element("div", { className: "inspector", hidden: true }, list, this.#panel);
    this.#show(this.#shown);
  }

  /** Opens it, or closes it. Returns whether it is open. */
  toggle(): boolean {
    this.#isOpen = !this.#isOpen;
    this.place.hidden = !this.#isOpen;
    if (this.#isOpen) {
      this.place.scrollIntoView({ block: "nearest", behavior: "smooth" });
      void this.#look();
    } else this.close();
    return this.#isOpen;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#isOpen = false;
    const machine = this.#machine();
    if (machine && machine.state !== "closed") void this.#shown.leave?.(machine).catch(() => {});
  }

  #show(tab: Tab): void {
    const machine = this.#machine();
    if (machine && tab !== this.#shown) void this.#shown.leave?.(machine).catch(() => {});
    this.#shown = tab;
    for (const [i, each] of this.#buttons.entries()) {
      const isShown = this.#tabs[i] === tab;
      each.setAttribute("aria-selected", String(isShown));
      each.tabIndex = isShown ? 0 : -1;
    }
    this.#panel.replaceChildren(tab.place);
    this.#panel.setAttribute("aria-label", tab.title);
    if (this.#isOpen) void this.#look();
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const machine = this.#machine();
    try {
      if (machine && machine.state !== "closed") await this.#shown.look(machine);
    } catch (error) {
      report(error);
      return;
    }
    if (this.#isOpen) this.#timer = setTimeout(() => void this.#look(), PERIOD);
  }
}
