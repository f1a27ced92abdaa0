// What tests do in a page with the library: each function gives what there is to be compared.

import { Machine } from "/dist/browser/atoll.js";

export async function sharedFolder() {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(`shared ${crossOriginIsolated}`, { create: true });
  const put = async (directory, name, text) => {
    const writable = await (await directory.getFileHandle(name, { create: true })).createWritable();
    await writable.write(text);
    await writable.close();
  };
  await put(folder, "greeting.txt", "from the page\n");
  await put(await folder.getDirectoryHandle("below", { create: true }), "deep.txt", "deep\n");
  const machine = await Machine.create({ memory: "128M", share: [{ folder, tag: "page" }] });
  await machine.start();
  await machine.waitFor("~# ");
  const run = async (command) => {
    await machine.type(`${command}; echo "do""ne"\n`);
    return machine.waitFor("done");
  };
  await run("mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 page /mnt && cd /mnt");
  const read = await run("cat greeting.txt below/deep.txt; ls");
  // Written, renamed while written, moved with its directory, cut, removed.
  await run("echo from the guest > answer.txt; mkdir -p one/two/empty; echo moved > one/two/file; mv one other");
  await run("head -c 3000000 /dev/zero | tr '\\0' x > large; truncate -s 2500000 large; echo end >> large");
  await run("rm greeting.txt; rm -r below; echo kept > temporary; mv temporary answer2.txt; sync");
  // What the page does is seen.
  await put(folder, "later.txt", "later\n");
  let later = "";
  for (let i = 0; i < 40 && !later.includes("later\n"); i++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    later = (await run("cat later.txt 2>&1")).replaceAll("\r", "");
  }
  await run("echo last > last.txt");
  await machine.close();
  const found = {};
  const look = async (directory, path) => {
    for await (const entry of directory.values()) {
      const name = `${path}${entry.name}`;
      if (entry.kind === "directory") {
        found[`${name}/`] = "";
        await look(entry, `${name}/`);
      } else {
        const file = await entry.getFile();
        found[name] = file.size > 100 ? `${file.size} ${(await file.text()).slice(-6)}` : await file.text();
      }
    }
  };
  await look(folder, "");
  await root.removeEntry(folder.name, { recursive: true });
  return { read, later, found };
}

/** The programs that tests run in guests, as a folder that a machine can share. */
export async function programs() {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(`programs ${crossOriginIsolated}`, { create: true });
  const program = await fetch("/test/systems/programs/bin/vsock");
  await program.body.pipeTo(await (await folder.getFileHandle("vsock", { create: true })).createWritable());
  return { folder, tag: "programs", readOnly: true };
}
