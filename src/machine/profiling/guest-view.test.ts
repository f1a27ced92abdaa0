import assert from "node:assert/strict";
import { test } from "node:test";
import { AF, DEVICE, DEVICE_PA, Pe, RAM, RAM_BYTES, USER } from "../../../test/support/vmsa.ts";
import { ARG0 } from "../../cpu/state-layout.ts";
import { PAR_EL1 } from "../../cpu/sysreg-layout.ts";
import { GuestView } from "./guest-view.ts";

const VA = 0x12_3400_0000n;

function guest(): { pe: Pe; view: GuestView } {
  const pe = new Pe();
  pe.enable();
  const state = {
    cpu: pe.cpu,
    word: (offset: number) => pe.word(offset),
    high: (offset: number) => pe.word(offset + 4),
    set64: (offset: number, low: number, high: number) => {
      pe.setWord(offset, low);
      pe.setWord(offset + 4, high);
    },
  };
  const bytes = new Uint8Array(Number(RAM_BYTES));
  new DataView(bytes.buffer).setBigUint64(0x3ff8, 0x0123_4567_89ab_cdefn, true);
  const memory = {
    view: (address: number, length: number) => {
      const offset = address - Number(RAM);
      return offset >= 0 && offset + length <= bytes.length ? bytes.subarray(offset, offset + length) : undefined;
    },
  };
  const addressTranslate = (_cpu: number, ...args: number[]): void => void pe.call("addressTranslate", ...args);
  return { pe, view: new GuestView(state, memory, { addressTranslate }) };
}

test("memory is read where the guest's tables say it is", () => {
  const { pe, view } = guest();
  pe.map(VA, RAM + 0x3000n, AF);
  assert.equal(view.read(VA + 0xff8n), 0x0123_4567_89ab_cdefn);
  assert.equal(view.physical(VA + 0xff8n), Number(RAM) + 0x3ff8);
  assert.equal(view.read(VA + 0xffcn), undefined, "across pages");
});

test("what would fault, or is a device, reads as nothing, and the guest sees nothing of it", () => {
  const { pe, view } = guest();
  pe.map(VA, DEVICE_PA, AF | DEVICE);
  pe.map(VA + 0x1000n, RAM, 0n);
  pe.set(ARG0, 0x1111_2222_3333_4444n);
  pe.set(PAR_EL1, 0xaaaa_bbbb_cccc_ddddn);
  for (const address of [VA, VA + 0x1000n, VA + 0x2000n, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_fff8n, 0n]) {
    assert.equal(view.read(address), undefined, `0x${address.toString(16)}`);
  }
  assert.equal(pe.fault(), undefined);
  assert.deepEqual(pe.bus, []);
  assert.equal(pe.descriptor(VA + 0x1000n) & AF, 0n, "the access flag stays as it is");
  assert.equal(pe.get(ARG0), 0x1111_2222_3333_4444n);
  assert.equal(pe.get(PAR_EL1), 0xaaaa_bbbb_cccc_ddddn);
});

test("EL0 reads what is EL0's", () => {
  const { pe, view } = guest();
  pe.map(VA, RAM + 0x3000n, AF);
  pe.map(VA + 0x1000n, RAM + 0x3000n, AF | USER);
  pe.enter(0);
  assert.equal(view.read(VA + 0xff8n), undefined);
  assert.equal(view.read(VA + 0x1ff8n), 0x0123_4567_89ab_cdefn);
  assert.equal(view.physical(VA, 1), Number(RAM) + 0x3000, "on behalf of EL1");
});

test("a page is looked up again once the guest has run", () => {
  const { pe, view } = guest();
  pe.map(VA, RAM + 0x3000n, AF);
  assert.notEqual(view.read(VA + 0xff8n), 0n);
  pe.map(VA, RAM + 0x4000n, AF);
  assert.notEqual(view.read(VA + 0xff8n), 0n);
  view.forget();
  assert.equal(view.read(VA + 0xff8n), 0n);
});
