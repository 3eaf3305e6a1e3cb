/** The package in Node: the module is read from disk, without `fetch`. */

import * as wasm from "../wasm/node/cim_wasm.js";
import { bind } from "./binding.js";

bind(wasm);

export * from "./api.js";
