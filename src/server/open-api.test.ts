import assert from "node:assert/strict";
import { test } from "node:test";
import { DOMAIN_ACTIONS } from "../contract/domains.ts";
import { metricsText } from "./domains/metrics.ts";
import { openApi } from "./open-api.ts";

test("each action is an operation, with its path's names as parameters and the rest as body or query", () => {
  const { paths } = openApi("Node", "1", DOMAIN_ACTIONS) as {
    paths: Record<
      string,
      Record<string, { operationId: string; parameters: { name: string; in: string }[]; requestBody?: unknown }>
    >;
  };
  const operations = Object.values(paths).flatMap((each) => Object.values(each));
  assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), Object.keys(DOMAIN_ACTIONS).sort());
  const stop = paths["/domains/{name}/stop"]?.post;
  assert.deepEqual(
    stop?.parameters.map(({ name, in: where }) => [name, where]),
    [["name", "path"]],
  );
  assert.match(JSON.stringify(stop?.requestBody), /"force".*"timeout"/);
  const remove = paths["/domains/{name}"]?.delete;
  assert.deepEqual(
    remove?.parameters.map(({ in: where }) => where),
    ["path", "query"],
  );
});

test("counters are lines of Prometheus' text format, each family declared before its samples", () => {
  const node = {
    pid: 1,
    started: "2026-01-01T00:00:00Z",
    machine: { cpus: 1, cpu: "max", sameMemory: false },
    memory: { size: 10, free: 4, taken: 8 },
    busy: [1.5],
    worldSwitches: 7,
  } as const;
  const text = metricsText({ ...node, busy: [...node.busy] }, []);
  for (const line of text.trimEnd().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) atoll_\w+ .+|atoll_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+]+)$/);
  }
  assert.match(text, /# TYPE atoll_node_world_switches_total counter\natoll_node_world_switches_total 7\n/);
});
