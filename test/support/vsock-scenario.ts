import assert from "node:assert/strict";
import type { Machine, MachineConfiguration } from "../../src/hosts/node/index.ts";

/** What a program finds that talks with a guest over vsock. */
export interface VsockFindings {
  readonly refused: string;
  readonly heard: string;
  readonly answer: string;
  readonly supplied: number;
  readonly discarded: string;
  readonly stopped: string;
  readonly twice: string;
  readonly ended: string;
  readonly closed: string;
}

/**
 * Talks with a guest over vsock, both ways, much and little. Runs in Node and in a page alike, so it names nothing outside of it.
 * @param share the folder of test/systems/programs/bin, with the tag "programs".
 */
export async function talkOverVsock(
  machines: typeof Machine,
  share: NonNullable<MachineConfiguration["share"]>[number],
): Promise<VsockFindings> {
  const MIB = 2 ** 20;
  const codeOf = (action: Promise<unknown>): Promise<string> =>
    action.then(
      () => "none",
      ({ code }: { code: string }) => code,
    );
  const machine = await machines.create({ memory: "128M", vsock: { cid: 42 }, share: [share] });
  await machine.start();
  await machine.waitFor("~# ");
  let count = 0;
  const run = async (command: string): Promise<string> => {
    count++;
    await machine.type(`${command}; echo end-$((${count}+0))-\n`);
    return machine.waitFor(`end-${count}-`);
  };
  await run("mount -t 9p -o trans=virtio,version=9p2000.L programs /mnt; cp /mnt/vsock /tmp; chmod +x /tmp/vsock");
  const connected = async (port: number): ReturnType<typeof machine.connect> => {
    for (;;) {
      try {
        return await machine.connect(port);
      } catch {
        // Nobody listens there yet.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };

  // The guest connects, and each hears the other to the end.
  const refused = await codeOf(machine.connect(99));
  let heard = "";
  let supplied = 0;
  const stops = [
    await machine.listen(7000, async ({ readable, writable }) => {
      heard = await new Response(readable).text();
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode(`heard ${heard.length}\n`));
      await writer.close();
    }),
    await machine.listen(7001, async ({ readable, writable }) => {
      for await (const bytes of readable) supplied += bytes.length;
      await writable.close();
    }),
  ];
  const twice = await codeOf(machine.listen(7000, () => {}));
  const answer = await run("echo from the guest | /tmp/vsock connect 2 7000");
  await run("/tmp/vsock supply 2 7001 8");
  for (const stop of stops) await stop();
  const stopped = await run("/tmp/vsock connect 2 7000");

  // The program connects, and sends more than the guest has room for at once.
  await machine.type("/tmp/vsock discard 7002 &\n");
  const sink = (await connected(7002)).writable.getWriter();
  for (let i = 0; i < 8; i++) await sink.write(new Uint8Array(MIB));
  await sink.close();
  const discarded = await run("wait");

  // The guest's program is killed, and then the machine.
  await machine.type("sleep 1000 | /tmp/vsock listen 7003 &\n");
  const first = (await connected(7003)).readable.getReader();
  await run("killall -9 vsock");
  const ended = String((await first.read()).done);
  await machine.type("sleep 1000 | /tmp/vsock listen 7004 &\n");
  const last = await connected(7004);
  const writer = last.writable.getWriter();
  await machine.close();
  const closed = await codeOf(writer.write(new Uint8Array(1)));
  await new Response(last.readable).text();
  return { refused, heard, answer, supplied, discarded, stopped, twice, ended, closed };
}

export function checkVsock(found: VsockFindings): void {
  assert.equal(found.refused, "state");
  assert.equal(found.heard, "from the guest\n");
  assert.match(found.answer, /^heard 15\r$/m);
  assert.equal(found.supplied, 8 * 2 ** 20);
  // The shell's prompt may come before what a program in the background says.
  assert.match(found.discarded, /\b8388608\r$/m);
  assert.match(found.stopped, /connect: failed/);
  assert.equal(found.twice, "state");
  assert.equal(found.ended, "true");
  assert.equal(found.closed, "state");
}
