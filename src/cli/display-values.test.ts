import assert from "node:assert/strict";
import { test } from "node:test";
import { display } from "./display-values.ts";

const LOOPBACK = "127.0.0.1";

for (const [value, meaning] of [
  ["none", {}],
  ["vnc", { vnc: { host: LOOPBACK, port: 5900 } }],
  ["vnc=:1", { vnc: { host: LOOPBACK, port: 5901 } }],
  ["vnc=:99", { vnc: { host: LOOPBACK, port: 5999 } }],
  ["vnc=localhost:8000", { vnc: { host: "localhost", port: 8000 } }],
  ["vnc=[::1]:auto", { vnc: { host: "::1", port: 0 } }],
  ["vnc=0.0.0.0:0,password=a,b=c", { vnc: { host: "0.0.0.0", port: 5900 }, password: "a,b=c" }],
  ["vnc,password-file=x", { vnc: { host: LOOPBACK, port: 5900 }, passwordFile: "x" }],
] as const) {
  test(`--display ${value}`, () => assert.deepEqual(display(value), meaning));
}

for (const [value, reason] of [
  ["", /none or vnc/],
  ["gtk", /none or vnc/],
  ["vncx", /none or vnc/],
  ["vnc=1", /\[HOST\]:DISPLAY/],
  ["vnc=:70000", /\[HOST\]:DISPLAY/],
  ["vnc=0.0.0.0:0", /own the guest/],
  ["vnc=[::]:0", /own the guest/],
  ["vnc=example.org:0", /own the guest/],
  ["vnc=:0,password=", /1 to 8/],
  ["vnc=:0,password=123456789", /1 to 8/],
  ["vnc=:0,password-file=", /name of a file/],
  ["vnc=:0,secret=x", /,password=TEXT/],
  ["vnc,", /,password=TEXT/],
] as const) {
  test(`--display ${value} is refused`, () => assert.throws(() => display(value), reason));
}
