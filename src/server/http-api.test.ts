import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ActionError, type Progress, STREAM_TYPE } from "../contract/action.ts";
import { MACHINE_ACTIONS } from "../contract/machines.ts";
import { callAction, NoAnswer } from "./api-client.ts";
import { endServer, listen } from "./control-socket.ts";
import { httpApi } from "./http-api.ts";

const app = httpApi(MACHINE_ACTIONS, {
  list: () => ({ machines: [] }),
  pause: ({ name }) => {
    if (name === "missing") throw new ActionError("no-such-machine", "there is none");
    if (name === "broken") throw new Error("what a defect");
    return {};
  },
  stop: async ({ timeout, how }, progress) => {
    progress({ step: `${how} ${timeout}`, done: 0.5 });
    await null;
    return { end: "off" };
  },
  remove: ({ force }) => {
    if (force !== true) throw new ActionError("wrong-state", "it runs");
    return {};
  },
});

const post = (path: string, body: string, accept = "*/*"): Promise<Response> =>
  Promise.resolve(app.request(path, { method: "POST", body, headers: { accept } }));

test("actions are done by what their descriptions say", async () => {
  const answer = await app.request("/machines");
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { machines: [] });
  assert.deepEqual(await (await post("/machines/web/stop", "{}")).json(), { end: "off" });
  assert.equal((await app.request("/machines/web?force=true", { method: "DELETE" })).status, 200);
  assert.equal((await app.request("/machines/web", { method: "DELETE" })).status, 409);
});

const BAD: readonly (readonly [string, string, string, number, RegExp])[] = [
  ["a body that is no JSON", "/machines/web/pause", "{", 400, /no JSON object/],
  ["a body that is no object", "/machines/web/pause", "[]", 400, /no JSON object/],
  ["a bad value", "/machines/web/stop", '{"timeout":-1}', 400, /^timeout: /],
  ["an unknown field", "/machines/web/pause", '{"fast":true}', 400, /fast/],
  ["a bad name", "/machines/Web/pause", "", 400, /^name: give a name/],
  ["an action that is not served", "/machines/web/start", "", 400, /no such action/],
  ["a machine that is not there", "/machines/missing/pause", "", 404, /there is none/],
  ["a defect", "/machines/broken/pause", "", 500, /what a defect/],
  ["a request that is too large", "/machines/web/pause", " ".repeat(2 ** 21), 400, /too large/],
];

for (const [what, path, body, status, message] of BAD) {
  test(`${what} is answered with status ${status}`, async () => {
    const answer = await post(path, body);
    assert.equal(answer.status, status);
    const { error } = (await answer.json()) as { error: { message: string } };
    assert.match(error.message, message);
  });
}

test("an answer in pieces says how far it is, and ends with the result or the error", async () => {
  const lines = (await (await post("/machines/web/stop", '{"how":"shutdown"}', STREAM_TYPE)).text()).trim().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [{ progress: { step: "shutdown 60", done: 0.5 } }, { result: { end: "off" } }],
  );
  const failed = await (await post("/machines/missing/pause", "", STREAM_TYPE)).text();
  assert.deepEqual(JSON.parse(failed), { error: { code: "no-such-machine", message: "there is none" } });
});

test("the client has it done over a Unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-api-"));
  const path = join(folder, "socket");
  const server = await listen(app, path);
  const steps: Progress[] = [];
  try {
    const input = { name: "web", how: "force", timeout: 1 };
    assert.deepEqual(await callAction(path, MACHINE_ACTIONS.stop, input, { progress: (step) => steps.push(step) }), {
      end: "off",
    });
    assert.deepEqual(steps, [{ step: "force 1", done: 0.5 }]);
    assert.deepEqual(await callAction(path, MACHINE_ACTIONS.remove, { name: "web", force: true }), {});
    for (const [name, code] of [
      ["missing", "no-such-machine"],
      ["Bad name", "bad-input"],
    ] as const) {
      await assert.rejects(
        callAction(path, MACHINE_ACTIONS.pause, { name }),
        (error) => error instanceof ActionError && error.code === code,
      );
    }
  } finally {
    await endServer(server);
  }
  await assert.rejects(callAction(path, MACHINE_ACTIONS.list, {}), NoAnswer);
  rmSync(folder, { recursive: true });
});
