// Linux in domains of a hypervisor of this process, driven by its shell.

import assert from "node:assert/strict";
import type { DomainConfig } from "../../src/hypervisor/domain.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { PROMPT } from "./embedded-guest.ts";
import { type Console, runUntil } from "./hypervisor.ts";

/** Starts domains, until each of their consoles shows `text`: the embedded Linux's prompt. @returns the consoles. */
export async function bootDomains(
  node: Hypervisor,
  domains: readonly (readonly [DomainConfig, Console])[],
  { text = PROMPT, seconds = 240 } = {},
): Promise<Console[]> {
  for (const [config] of domains) {
    node.define(config);
    node.start(config.name);
  }
  const booted = await runUntil(node, () => domains.every(([, { shown }]) => shown.includes(text)), seconds);
  assert.ok(booted, domains.map(([{ name }, { shown }]) => `${name}: ${shown.slice(-500)}`).join("\n"));
  return domains.map(([, console]) => console);
}

/** What a shell command prints; the domain is at its prompt. @param look is called again and again while the command runs. */
export async function shellCommand(
  node: Hypervisor,
  console: Console,
  text: string,
  { seconds = 240, look = () => {} }: { seconds?: number; look?: () => void } = {},
): Promise<string> {
  const before = console.shown.length;
  // The echo of what is typed does not hold what this prints.
  console.type(`${text}; echo end-$((40+2))\n`);
  const shown = (): string => console.shown.slice(before);
  const ended = (): boolean => {
    look();
    return shown().includes("end-42");
  };
  assert.ok(await runUntil(node, ended, seconds), `${text}: ${shown()}`);
  return shown().replaceAll("\r", "");
}
