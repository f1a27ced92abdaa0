/** Types of IR values: WebAssembly's own. */
export type Type = "i32" | "i64" | "f32" | "f64" | "v128";
