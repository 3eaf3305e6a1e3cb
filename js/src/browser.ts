/** The package in browsers: importing it loads the module from beside it. */

import load, * as wasm from "../wasm/web/cim_wasm.js";
import { bind, type Binding } from "./binding.js";

await load();
// The web build exports the same functions, and its loader besides.
bind(wasm as unknown as Binding);

export * from "./api.js";
