import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_UNDER_WAY } from "./limits.ts";
import type { RegionRequest } from "./region-maker.ts";
import { RemoteRegions } from "./region-thread.ts";

/** A thread that takes requests and answers when it is told to. */
function remote(): { regions: RemoteRegions; sent: RegionRequest[][]; answer: () => void } {
  const sent: RegionRequest[][] = [];
  let answers = 0;
  const regions = new RemoteRegions(
    () => ({
      ...{ kept: undefined, words: undefined },
      send: (requests) => sent.push([...requests]),
      receive() {
        if (answers === 0) return undefined;
        answers--;
        const records = (sent.at(-1) as RegionRequest[]).map(({ record }) => record);
        return { module: {} as WebAssembly.Module, regions: [], records, milliseconds: 0, kept: 0 };
      },
      close() {},
    }),
    () => {},
  );
  return { regions, sent, answer: () => answers++ };
}

const request = (record: number, ifKept = false): RegionRequest => ({
  ...{ record, ifKept, aligned: false, cpu: 0, vaLow: 0, vaHigh: 0, context: 1 },
});

test("what is asked for most often is handed over first, and the rest when that is answered", () => {
  const { regions, sent, answer } = remote();
  for (let record = 0; record < MAX_UNDER_WAY + 2; record++) regions.ask(request(record));
  for (const record of [MAX_UNDER_WAY, MAX_UNDER_WAY + 1]) regions.ask(request(record));
  regions.take();
  assert.equal(sent[0]?.length, MAX_UNDER_WAY);
  assert.deepEqual(
    sent[0]?.slice(0, 2).map(({ record }) => record),
    [MAX_UNDER_WAY, MAX_UNDER_WAY + 1],
  );
  regions.take();
  assert.equal(sent.length, 1);
  answer();
  regions.take();
  regions.take();
  assert.deepEqual(
    sent[1]?.map(({ record }) => record),
    [MAX_UNDER_WAY - 2, MAX_UNDER_WAY - 1],
  );
});

test("a place that is hot is not asked for as one that is only taken if it is kept", () => {
  const { regions, sent } = remote();
  regions.ask(request(1, true));
  regions.ask(request(1));
  regions.ask(request(1, true));
  regions.take();
  assert.deepEqual(sent, [[request(1)]]);
});
