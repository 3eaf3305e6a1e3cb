/** The one error that this package throws for input that breaks a rule of CIM. */

/** A fault as the wasm module tells it. */
export interface Fault {
  readonly code: string;
  readonly message: string;
  /** What is behind the message, the nearest first. */
  readonly causes: readonly string[];
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** A broken rule, with the stable code that every part of CIM uses for it. */
export class CimError extends Error {
  override readonly name = "CimError";
  /** The stable code, such as `header-missing` or `broken-link`. */
  readonly code: string;
  /** The facts of the fault, such as the header's name or the expected CID. */
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, fields: Readonly<Record<string, unknown>> = {}, cause?: Error) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.fields = fields;
  }

  /** @internal */
  static of(fault: Fault): CimError {
    const cause = fault.causes.reduceRight<Error | undefined>(
      (inner, message) => new Error(message, inner === undefined ? undefined : { cause: inner }),
      undefined,
    );
    return new CimError(fault.code, fault.message, fault.fields, cause);
  }
}
