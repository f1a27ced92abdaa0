import { button, byId, element } from "./element.ts";

/** Says something to the user until it is dismissed; the same thing once. */
export function say(kind: "note" | "problem", text: string, ...actions: HTMLButtonElement[]): HTMLElement {
  const list = byId("messages");
  for (const old of list.children) if ((old as HTMLElement).dataset.text === text) old.remove();
  const line = element("div", { className: `message ${kind}` }, element("p", {}, text), ...actions);
  line.dataset.text = text;
  line.append(button("Dismiss", () => line.remove(), { className: "quiet" }));
  list.append(line);
  return line;
}

/** Says what has failed. */
export function report(error: unknown): void {
  say("problem", error instanceof Error ? sentence(error.message) : String(error));
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** For promises that nobody waits for. */
export function attempt(action: () => unknown): void {
  Promise.resolve().then(action).catch(report);
}
