// For tests only: JavaScript cannot pass a v128, so these take addresses of operands and of the result.

import { aesd, aese, aesimc, aesmc } from "./aes.as";
import { pmul8, pmull8, pmull64 } from "./polynomial.as";
import { sha1c, sha1m, sha1p, sha1su0, sha1su1, sha256h, sha256h2, sha256su0, sha256su1 } from "./sha.as";

export function aeseAt(r: usize, d: usize, n: usize): void {
  v128.store(r, aese(0, v128.load(d), v128.load(n)));
}

export function aesdAt(r: usize, d: usize, n: usize): void {
  v128.store(r, aesd(0, v128.load(d), v128.load(n)));
}

export function aesmcAt(r: usize, n: usize): void {
  v128.store(r, aesmc(0, v128.load(n)));
}

export function aesimcAt(r: usize, n: usize): void {
  v128.store(r, aesimc(0, v128.load(n)));
}

export function sha1cAt(r: usize, d: usize, n: u32, m: usize): void {
  v128.store(r, sha1c(0, v128.load(d), n, v128.load(m)));
}

export function sha1pAt(r: usize, d: usize, n: u32, m: usize): void {
  v128.store(r, sha1p(0, v128.load(d), n, v128.load(m)));
}

export function sha1mAt(r: usize, d: usize, n: u32, m: usize): void {
  v128.store(r, sha1m(0, v128.load(d), n, v128.load(m)));
}

export function sha1su0At(r: usize, d: usize, n: usize, m: usize): void {
  v128.store(r, sha1su0(0, v128.load(d), v128.load(n), v128.load(m)));
}

export function sha1su1At(r: usize, d: usize, n: usize): void {
  v128.store(r, sha1su1(0, v128.load(d), v128.load(n)));
}

export function sha256hAt(r: usize, d: usize, n: usize, m: usize): void {
  v128.store(r, sha256h(0, v128.load(d), v128.load(n), v128.load(m)));
}

export function sha256h2At(r: usize, d: usize, n: usize, m: usize): void {
  v128.store(r, sha256h2(0, v128.load(d), v128.load(n), v128.load(m)));
}

export function sha256su0At(r: usize, d: usize, n: usize): void {
  v128.store(r, sha256su0(0, v128.load(d), v128.load(n)));
}

export function sha256su1At(r: usize, d: usize, n: usize, m: usize): void {
  v128.store(r, sha256su1(0, v128.load(d), v128.load(n), v128.load(m)));
}

export function pmul8At(r: usize, n: usize, m: usize): void {
  v128.store(r, pmul8(0, v128.load(n), v128.load(m)));
}

export function pmull8At(r: usize, n: usize, m: usize): void {
  v128.store(r, pmull8(0, v128.load(n), v128.load(m)));
}

export function pmull64At(r: usize, n: u64, m: u64): void {
  v128.store(r, pmull64(0, n, m));
}
