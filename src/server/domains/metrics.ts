// What a node's counters are called for Prometheus (text format 0.0.4).

import type { DomainInfo, NodeInfo } from "../../contract/domains.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Nanoseconds as seconds. */
export const seconds = (nanoseconds: number): number => nanoseconds / 1e9;

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

export function metricsText(node: NodeInfo, domains: readonly DomainInfo[]): string {
  const running = domains.flatMap((info) =>
    info.statistics === undefined ? [] : [{ info, statistics: info.statistics }],
  );
  type Running = (typeof running)[number];
  const each = (value: (of: Running["statistics"]) => number): Sample[] =>
    running.map(({ info, statistics }) => [{ domain: info.name }, value(statistics)]);
  const byKind = (of: (each: Running["statistics"]) => Readonly<Record<string, number>>): Sample[] =>
    running.flatMap(({ info, statistics }) =>
      Object.entries(of(statistics)).map(([kind, count]): Sample => [{ domain: info.name, kind }, count]),
    );
  const families: readonly (readonly [
    name: string,
    type: "counter" | "gauge",
    help: string,
    samples: readonly Sample[],
  ])[] = [
    ["atoll_node_memory_bytes", "gauge", "RAM of the node", [[{}, node.memory.size]]],
    [
      "atoll_node_memory_taken_bytes",
      "gauge",
      "RAM of the node that may take memory of the computer's",
      [[{}, node.memory.taken]],
    ],
    ["atoll_node_memory_free_bytes", "gauge", "RAM of the node that no domain has", [[{}, node.memory.free]]],
    [
      "atoll_node_cpu_busy_seconds_total",
      "counter",
      "Time in which a physical CPU had something to run",
      node.busy.map((busy, cpu) => [{ cpu: String(cpu) }, busy]),
    ],
    ["atoll_node_world_switches_total", "counter", "Changes of the vCPU on a physical CPU", [[{}, node.worldSwitches]]],
    [
      "atoll_domain_up",
      "gauge",
      "1 while a domain runs",
      domains.map(({ name, status }) => [{ domain: name }, status === "running" ? 1 : 0]),
    ],
    [
      "atoll_domain_healthy",
      "gauge",
      "1 while a domain is healthy",
      domains.flatMap(({ name, health }): Sample[] =>
        health === undefined ? [] : [[{ domain: name }, health === "healthy" ? 1 : 0]],
      ),
    ],
    [
      "atoll_domain_restarts_total",
      "counter",
      "Restarts of a domain by the node",
      domains.map(({ name, restarts }) => [{ domain: name }, restarts]),
    ],
    [
      "atoll_domain_watchdog_expirations_total",
      "counter",
      "How often a domain's guest did not refresh its watchdog in time",
      domains.map(({ name, watchdogs }) => [{ domain: name }, watchdogs]),
    ],
    ["atoll_domain_cpu_seconds_total", "counter", "Time on physical CPUs", each(({ cpuTime }) => cpuTime)],
    [
      "atoll_domain_stolen_seconds_total",
      "counter",
      "Time ready to run without a physical CPU",
      each(({ stolen }) => stolen),
    ],
    [
      "atoll_domain_memory_resident_bytes",
      "gauge",
      "RAM that the guest has touched",
      each(({ memory }) => memory.resident),
    ],
    [
      "atoll_domain_memory_private_bytes",
      "gauge",
      "RAM of the node that a domain alone has",
      each(({ memory }) => memory.private),
    ],
    [
      "atoll_domain_memory_balloon_bytes",
      "gauge",
      "RAM that the guest has given away by its balloon",
      each(({ memory }) => memory.balloon),
    ],
    [
      "atoll_domain_memory_shortages_total",
      "counter",
      "How often a domain had to wait for memory of the node's",
      each(({ shortages }) => shortages),
    ],
    ["atoll_domain_exits_total", "counter", "Exits to the hypervisor", byKind(({ exits }) => exits)],
    ["atoll_domain_refusals_total", "counter", "What a guest tried and may not do", byKind(({ refusals }) => refusals)],
    [
      "atoll_domain_device_accesses_total",
      "counter",
      "Accesses to device registers",
      each(({ deviceAccesses }) => deviceAccesses),
    ],
  ];
  return families
    .flatMap(([name, type, help, samples]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}`),
    ])
    .map((line) => `${line}\n`)
    .join("");
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
