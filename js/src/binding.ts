/** Which build of the wasm module is in use: that of Node or that of browsers. */

import { CimError, type Fault } from "./error.js";

/** What both builds of the module export. */
export type Binding = typeof import("../wasm/node/cim_wasm.js");

let bound: Binding | undefined;

/** Uses `module` from here on; an entry point of the package calls it once. */
export function bind(module: Binding): void {
  bound = module;
}

/** Calls the module and turns its faults into {@link CimError}. */
export function call<T>(use: (wasm: Binding) => T): T {
  if (bound === undefined) {
    throw new Error("the wasm module is not loaded: import `cim-events`, not a file inside of it");
  }
  try {
    return use(bound);
  } catch (thrown) {
    // The module throws a fault as a JSON document; anything else is a bug of ours.
    if (typeof thrown !== "string") throw thrown;
    throw CimError.of(JSON.parse(thrown) as Fault);
  }
}
