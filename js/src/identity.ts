/** Keys, tokens and creds of NATS. */

import { call } from "./binding.js";
import type { AccountClaims, ClaimsOf, DecodedJwt, OperatorClaims, UserClaims } from "./claims.js";

/** What a key is for. Curve keys sign nothing. */
export type KeyKind = "operator" | "account" | "user" | "server" | "cluster" | "curve";

/** The bytes of a seed's text, `SU…`. Wipe them when they are used no more: `seed.fill(0)`. */
export type Seed = Uint8Array;

/** How a token is made, whatever it is about. */
export interface IssueOptions<Claims> {
  /** A name for people. */
  readonly name: string;
  /** What stands under `nats`, or some of it. Limits that are not said are none; but with a `version`, as
   * in what {@link decodeJwt} gives, they are zero, as in a token. */
  readonly claims?: Claims;
  readonly begins?: Date;
  readonly ends?: Date;
  /** When it is signed; now by default. */
  readonly now?: Date;
  /** The version of the servers that are to take it, `2.12.14`. */
  readonly server?: string;
}

/** Where the new key comes from. */
export interface KeyOptions {
  /** 32 bytes of a secure source; the platform's by default. */
  readonly entropy?: Uint8Array;
}

/** What only users have. */
export interface UserOptions {
  /** The public key of the account, where `account` is the seed of a signing key of it. */
  readonly issuerAccount?: string;
  /** Whether that key has a scope, beside which nothing may be said. */
  readonly scoped?: boolean;
}

/** A new key, and the token about it. */
export interface Identity {
  readonly seed: Seed;
  readonly publicKey: string;
  readonly token: string;
}

/** Makes a key and gives its seed. */
export function createKey(kind: KeyKind, { entropy }: KeyOptions = {}): Seed {
  if (entropy !== undefined) return call((wasm) => wasm.createKey(kind, entropy));
  const drawn = crypto.getRandomValues(new Uint8Array(32));
  try {
    return call((wasm) => wasm.createKey(kind, drawn));
  } finally {
    drawn.fill(0);
  }
}

/** The public key of a seed. */
export function publicKeyOf(seed: Seed): string {
  return call((wasm) => wasm.publicKeyOf(seed));
}

/** Signs a message: 64 bytes, Ed25519. */
export function sign(seed: Seed, message: Uint8Array): Uint8Array {
  return call((wasm) => wasm.sign(seed, message));
}

/** Whether a key has signed a message. */
export function verify(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean {
  return call((wasm) => wasm.verify(publicKey, message, signature));
}

/** Makes an operator, which signs itself. */
export function createOperator(options: IssueOptions<OperatorClaims> & KeyOptions): Identity {
  return create("operator", options, (seed) => seed);
}

/** Makes an account that `operator`, the seed of an operator or of a signing key of it, vouches for. */
export function createAccount(
  options: IssueOptions<AccountClaims> & KeyOptions & { readonly operator: Seed },
): Identity {
  return create("account", options, () => options.operator);
}

/** Makes a user that `account`, the seed of an account or of a signing key of it, vouches for. */
export function createUser(
  options: IssueOptions<UserClaims> & KeyOptions & UserOptions & { readonly account: Seed },
): Identity {
  return create("user", options, () => options.account);
}

/** A token about somebody whose key is there already: a new one of the same, or one whose seed is elsewhere. */
export function issue<K extends "operator" | "account" | "user">(
  kind: K,
  options: IssueOptions<ClaimsOf[K]> &
    (K extends "user" ? UserOptions : unknown) & { readonly subject: string; readonly issuer: Seed },
): string {
  const { subject, name, claims, begins, ends, now, server, issuer } = options;
  const { issuerAccount, scoped } = options as UserOptions;
  const request = {
    kind,
    subject,
    name,
    claims: { ...claims, ...(issuerAccount === undefined ? {} : { issuer_account: issuerAccount }) },
    begins: begins?.toISOString(),
    ends: ends?.toISOString(),
    now: (now ?? new Date()).toISOString(),
    server,
    scoped,
  };
  return call((wasm) => wasm.issue(JSON.stringify(request), issuer));
}

function create<K extends "operator" | "account" | "user">(
  kind: K,
  options: IssueOptions<ClaimsOf[K]> & KeyOptions,
  issuerOf: (seed: Seed) => Seed,
): Identity {
  const seed = createKey(kind, options);
  try {
    const publicKey = publicKeyOf(seed);
    const all = { ...options, subject: publicKey, issuer: issuerOf(seed) };
    return { seed, publicKey, token: issue(kind, all as Parameters<typeof issue<K>>[1]) };
  } catch (thrown) {
    seed.fill(0);
    throw thrown;
  }
}

/** Reads a token, or a text with one in it, and checks its signature. Whether a server would take it,
 * {@link validateJwt} says. */
export function decodeJwt(token: string): DecodedJwt {
  return JSON.parse(call((wasm) => wasm.decodeJwt(token)));
}

/** What is known beside a token that is judged. */
export interface ValidateOptions {
  /** The token of the account that a user is of. */
  readonly account?: string;
  /** The token of the operator that the server trusts. */
  readonly operator?: string;
  /** At which time; now by default. */
  readonly at?: Date;
  /** The server's version, from 2.12.0 on. */
  readonly server?: string;
  /** From which IP address a user connects, if that is to be looked at. */
  readonly address?: string;
  /** In which way a user connects; `STANDARD` by default. */
  readonly connectionType?: string;
}

/** Something about claims that a server refuses, refuses at this time, or takes though it is doubtful. */
export interface Finding {
  readonly level: "error" | "time" | "warning";
  /** The stable code of this kind of finding. */
  readonly code: string;
  /** Where it is, with the names of the token: `nats.exports[2].subject`. */
  readonly path: string;
  readonly text: string;
}

/** Whether a server would take a token. */
export interface Verdict {
  readonly ok: boolean;
  /** `null` of what is no token. */
  readonly kind: keyof ClaimsOf | null;
  readonly findings: readonly Finding[];
}

/** Whether a server would take a token; without `account` and `operator`, only what the token itself says
 * is looked at. */
export function validateJwt(token: string, options: ValidateOptions = {}): Verdict {
  const { account, operator, at = new Date(), server, address, connectionType } = options;
  const known = { account, operator, at: at.toISOString(), server, address, connection_type: connectionType };
  return JSON.parse(call((wasm) => wasm.validateJwt(token, JSON.stringify(known))));
}

/** The text of a creds file, which holds the seed: wipe it as one. */
export function credentials({ token, seed }: Pick<Identity, "token" | "seed">): Uint8Array {
  return call((wasm) => wasm.credentials(token, seed));
}

/** Reads the text of a creds file. */
export function readCredentials(creds: Uint8Array): Identity {
  const read = call((wasm) => wasm.Credentials.read(creds));
  try {
    return { seed: read.seed, publicKey: read.publicKey, token: read.token };
  } finally {
    read.free();
  }
}
