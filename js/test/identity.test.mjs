// Keys, tokens and creds: byte for byte as natively, and what of them is refused.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import * as cim from "cim-events";

import { run } from "./support/identity.mjs";
import { vectors } from "./support/vectors.mjs";

const text = new TextEncoder();
const operator = cim.createOperator({ name: "o" });
const account = cim.createAccount({ name: "a", operator: operator.seed });

function refusedWith(code) {
  return (error) => {
    assert.ok(error instanceof cim.CimError, error);
    assert.equal(error.code, code);
    return true;
  };
}

test("the same entropy and time give the same bytes as natively", () => {
  const checks = run(cim, vectors("identity"));
  assert.ok(checks.length > 80, `${checks.length}`);
  for (const [what, expected, found] of checks) assert.deepEqual(found, expected, what);
});

test("keys differ unless their entropy does not", () => {
  const kinds = { operator: "SO", account: "SA", user: "SU", server: "SN", cluster: "SC", curve: "SX" };
  for (const [kind, start] of Object.entries(kinds)) {
    const [one, other] = [cim.createKey(kind), cim.createKey(kind)];
    assert.equal(new TextDecoder().decode(one.subarray(0, 2)), start);
    assert.notDeepEqual(one, other);
  }
});

test("an operator, an account and a user are one made after the other", () => {
  const user = cim.createUser({ name: "u", account: account.seed, claims: { pub: { allow: ["a.>"] } } });
  assert.equal(cim.publicKeyOf(user.seed), user.publicKey);
  const { kind, version, issuer, payload } = cim.decodeJwt(user.token);
  assert.deepEqual([kind, version, issuer, payload.sub], ["user", 2, account.publicKey, user.publicKey]);
  const { subs, payload: bytes, pub } = payload.nats;
  assert.deepEqual([subs, bytes, pub], [-1, -1, { allow: ["a.>"] }]);
  const known = { account: account.token, operator: operator.token };
  assert.deepEqual(cim.validateJwt(user.token, known), { ok: true, kind: "user", findings: [] });
});

test("a token is made again for a key that is there", () => {
  const { publicKey } = cim.createUser({ name: "u", account: account.seed });
  const issuer = account.seed;
  const token = cim.issue("user", { subject: publicKey, issuer, name: "v", ends: new Date("2100-01-01") });
  const { payload } = cim.decodeJwt(token);
  assert.deepEqual([payload.sub, payload.name, payload.exp], [publicKey, "v", 4_102_444_800]);
});

test("a limit of a token that was absent stays zero when its claims are signed again", () => {
  const claims = { limits: { conn: 0 } };
  const { token } = cim.createAccount({ name: "a", operator: operator.seed, claims });
  const { nats } = cim.decodeJwt(token).payload;
  assert.equal("conn" in nats.limits, false);
  const again = cim.createAccount({ name: "b", operator: operator.seed, claims: nats });
  assert.deepEqual(cim.decodeJwt(again.token).payload.nats, nats);
});

test("users of signing keys name their account, and users of scopes nothing else", () => {
  const [plain, scoped] = [cim.createKey("account"), cim.createKey("account")];
  const claims = {
    signing_keys: [
      cim.publicKeyOf(plain),
      { kind: "user_scope", key: cim.publicKeyOf(scoped), role: "r", template: { pub: { allow: ["a"] } } },
    ],
  };
  const { publicKey: issuerAccount, token } = cim.createAccount({ name: "a", operator: operator.seed, claims });
  const codes = (options) => {
    const user = cim.createUser({ name: "u", ...options });
    return cim.validateJwt(user.token, { account: token }).findings.map(({ code }) => code);
  };
  assert.deepEqual(codes({ account: plain, issuerAccount }), []);
  assert.deepEqual(codes({ account: plain }), ["issuer-account-missing"]);
  assert.deepEqual(codes({ account: scoped, issuerAccount, scoped: true }), []);
  assert.deepEqual(codes({ account: scoped, issuerAccount }), ["scope-and-limits"]);
});

test("what a server would refuse is not signed", () => {
  const claims = { pub: { allow: ["a..b"] } };
  assert.throws(
    () => cim.createUser({ name: "u", account: account.seed, claims }),
    ({ code, fields }) => {
      assert.equal(code, "jwt-refused");
      assert.deepEqual(fields.findings, [
        {
          level: "error",
          code: "subject-token-empty",
          path: "nats.pub.allow[0]",
          text: "the subject `a..b` has an empty token",
        },
      ]);
      return true;
    },
  );
  assert.throws(() => cim.createUser({ name: "u", account: operator.seed }), refusedWith("key-kind-wrong"));
  const wrong = { pub: "a" };
  assert.throws(() => cim.createUser({ name: "u", account: account.seed, claims: wrong }), refusedWith("claims-invalid"));
});

test("what is no seed is refused, and never shown", () => {
  const secret = new TextDecoder().decode(account.seed);
  const wrong = {
    "another length": secret.slice(1),
    "a wrong checksum": `${secret.slice(0, -1)}${secret.endsWith("A") ? "E" : "A"}`,
    "a public key": account.publicKey,
    "lower case": secret.toLowerCase(),
    nothing: "",
  };
  for (const [why, seed] of Object.entries(wrong)) {
    for (const use of [
      () => cim.publicKeyOf(text.encode(seed)),
      () => cim.sign(text.encode(seed), new Uint8Array()),
      () => cim.createUser({ name: "u", account: text.encode(seed) }),
      () => cim.credentials({ token: account.token, seed: text.encode(seed) }),
    ]) {
      assert.throws(use, (error) => {
        assert.equal(error.code, "seed-invalid", why);
        assert.ok(!`${error.message} ${JSON.stringify(error.fields)}`.includes(secret.slice(2, 20)));
        return true;
      });
    }
  }
  assert.throws(() => cim.verify(secret, new Uint8Array(), new Uint8Array(64)), (error) => {
    assert.equal(error.code, "public-key-invalid");
    assert.ok(!error.message.includes(secret.slice(2, 20)));
    return true;
  });
});

test("seeds that were given stay, and one that was drawn is wiped where its token is refused", (context) => {
  const before = account.seed.slice();
  cim.createUser({ name: "u", account: account.seed });
  assert.deepEqual(account.seed, before);

  const filled = [];
  const { fill } = Uint8Array.prototype;
  context.mock.method(Uint8Array.prototype, "fill", function (...args) {
    filled.push(this.length);
    return fill.apply(this, args);
  });
  assert.throws(() => cim.createUser({ name: "u", account: operator.seed }), refusedWith("key-kind-wrong"));
  // The entropy and the seed's text.
  assert.deepEqual(filled, [32, 58]);
});

test("no copy of a seed is left in the module's memory", async () => {
  // The module for browsers shows its memory to its loader.
  const wasm = await import("../wasm/web/cim_wasm.js");
  const module_or_path = await readFile(new URL("../wasm/web/cim_wasm_bg.wasm", import.meta.url));
  const { memory } = await wasm.default({ module_or_path });
  const holds = (bytes) => Buffer.from(memory.buffer).includes(Buffer.from(bytes));

  const entropy = crypto.getRandomValues(new Uint8Array(32));
  const [seed, user] = ["account", "user"].map((kind) => wasm.createKey(kind, entropy));
  const subject = wasm.publicKeyOf(user);
  const request = { kind: "user", subject, name: "u", claims: {}, now: new Date().toISOString() };
  const token = wasm.issue(JSON.stringify(request), seed);
  const creds = wasm.Credentials.read(wasm.credentials(token, user));
  assert.deepEqual(creds.seed, user);
  creds.free();
  const message = text.encode("what is no secret is left, so that a secret would be found");
  wasm.sign(seed, message);
  assert.ok(holds(message.subarray(20)));

  for (const [what, bytes] of Object.entries({ seed, user, entropy })) {
    assert.equal(holds(bytes.subarray(4, 30)), false, what);
  }
});

test("what the types rule out is refused", () => {
  assert.throws(() => cim.createKey("module"), refusedWith("argument-invalid"));
  assert.throws(() => cim.createKey("user", { entropy: new Uint8Array(31) }), refusedWith("argument-invalid"));
  assert.throws(() => cim.createUser({ account: account.seed }), refusedWith("argument-invalid"));
  const issuer = account.seed;
  const subject = operator.publicKey;
  assert.throws(() => cim.issue("module", { name: "u", subject, issuer }), refusedWith("argument-invalid"));
  const curve = cim.createKey("curve");
  assert.throws(() => cim.sign(curve, new Uint8Array()), refusedWith("key-kind-wrong"));
});

test("what is no token is thrown by decoding, and is a verdict of validation", () => {
  assert.throws(() => cim.decodeJwt("a.b"), refusedWith("jwt-parts"));
  const forged = account.token.replace(/.{6}$/, "AAAAAA");
  assert.throws(() => cim.decodeJwt(forged), refusedWith("jwt-issuer"));
  const { ok, kind, findings } = cim.validateJwt(forged);
  assert.deepEqual([ok, kind, findings.map(({ code }) => code)], [false, null, ["jwt-issuer"]]);
  assert.throws(
    () => cim.validateJwt(account.token, { operator: account.token }),
    ({ code, fields }) => {
      assert.deepEqual([code, fields], ["jwt-kind", { token: "operator" }]);
      return true;
    },
  );
  const known = { account: account.token };
  assert.throws(() => cim.validateJwt(account.token, known), refusedWith("argument-invalid"));
  assert.throws(() => cim.validateJwt(account.token, { server: "2.9.0" }), refusedWith("argument-invalid"));
});

test("creds are of one user", () => {
  const [one, other] = ["u", "v"].map((name) => cim.createUser({ name, account: account.seed }));
  assert.throws(() => cim.credentials({ ...one, seed: other.seed }), refusedWith("creds-another-user"));
  assert.throws(() => cim.readCredentials(text.encode("none")), refusedWith("creds-incomplete"));
  assert.deepEqual(cim.readCredentials(cim.credentials(one)), one);
});

test("the README's example runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, example] = readme.split("## Identity")[1].match(/```js\n(.*?)```/s);
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const printed = execFileSync(process.execPath, ["--input-type=module", "--eval", example], { cwd, encoding: "utf8" });
  assert.match(printed, /^true U[A-Z2-7]{55}\n$/);
});
