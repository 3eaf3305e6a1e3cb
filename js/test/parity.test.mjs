// Identity by others: the packages of NATS read and verify what is ours, we what is theirs, and a server
// logs both in.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import * as jwt from "@nats-io/jwt";
import * as nkeys from "@nats-io/nkeys";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import * as cim from "cim-events";

import { startServer } from "./support/nats.mjs";
import { vectors } from "./support/vectors.mjs";

const text = new TextEncoder();
const allowed = { pub: { allow: ["orders.>"] }, sub: { allow: ["orders.>", "_INBOX.>"] } };

const operator = cim.createOperator({ name: "operator" });
const system = cim.createAccount({ name: "SYS", operator: operator.seed });
const signing = cim.createKey("account");
const scoped = cim.createKey("account");
const scope = { kind: "user_scope", key: cim.publicKeyOf(scoped), role: "clerk", template: allowed };
const account = cim.createAccount({
  name: "account",
  operator: operator.seed,
  claims: { signing_keys: [cim.publicKeyOf(signing), scope] },
});

describe("keys", () => {
  const makers = {
    operator: nkeys.createOperator,
    account: nkeys.createAccount,
    user: nkeys.createUser,
    server: nkeys.createServer,
    cluster: nkeys.createCluster,
  };
  const message = text.encode("nonce");

  for (const [kind, make] of Object.entries(makers)) {
    test(`of the kind ${kind} are the same, and sign the same`, () => {
      const ours = cim.createKey(kind);
      const theirs = nkeys.fromSeed(ours);
      assert.equal(theirs.getPublicKey(), cim.publicKeyOf(ours));
      assert.deepEqual(cim.sign(ours, message), theirs.sign(message));

      const pair = make();
      const seed = pair.getSeed();
      assert.equal(cim.publicKeyOf(seed), pair.getPublicKey());
      assert.ok(cim.verify(pair.getPublicKey(), message, pair.sign(message)));
      assert.ok(nkeys.fromPublic(pair.getPublicKey()).verify(message, cim.sign(seed, message)));
    });
  }

  test("of curves are the same", () => {
    const ours = cim.createKey("curve");
    assert.equal(nkeys.fromCurveSeed(ours).getPublicKey(), cim.publicKeyOf(ours));
    const pair = nkeys.createCurve();
    assert.equal(cim.publicKeyOf(pair.getSeed()), pair.getPublicKey());
  });
});

describe("tokens", () => {
  test("of ours are decoded by @nats-io/jwt and verified by @nats-io/nkeys", () => {
    const ours = vectors("identity").tokens.map(({ token }) => token);
    for (const token of [...ours, operator.token, account.token]) {
      const { issuer, payload } = cim.decodeJwt(token);
      const theirs = jwt.decode(token);
      // It takes the bytes of UTF-8 for letters.
      theirs.name = Buffer.from(theirs.name, "latin1").toString("utf8");
      assert.deepEqual(theirs, payload);
      const end = token.lastIndexOf(".");
      const signature = new Uint8Array(Buffer.from(token.slice(end + 1), "base64url"));
      assert.ok(nkeys.fromPublic(issuer).verify(text.encode(token.slice(0, end)), signature));
    }
  });

  test("of @nats-io/jwt are read, and found good", async () => {
    const { operator, account, user } = await theirs();
    for (const [kind, token] of Object.entries({ operator, account, user })) {
      assert.equal(cim.decodeJwt(token).kind, kind);
    }
    assert.deepEqual(cim.validateJwt(user, { account, operator }), { ok: true, kind: "user", findings: [] });
  });

  /** An operator, an account and a user, all made by @nats-io/jwt. */
  async function theirs() {
    const keys = [jwt.createOperator(), jwt.createAccount(), jwt.createUser()];
    const [o, a, u] = keys;
    return {
      operator: await jwt.encodeOperator("o", o),
      // Without limits, it lets nobody connect.
      account: await jwt.encodeAccount("a", a, { limits: { conn: -1 } }, { signer: o }),
      user: await jwt.encodeUser("u", u, a, {}),
    };
  }
});

describe("a server that trusts our operator", () => {
  let server;
  before(async () => {
    server = await startServer(`
      operator: ${operator.token}
      resolver: MEMORY
      system_account: ${system.publicKey}
      resolver_preload {
        ${system.publicKey}: ${system.token}
        ${account.publicKey}: ${account.token}
      }
    `);
  });
  after(() => server?.stop());

  function login(creds) {
    const authenticator = credsAuthenticator(creds);
    return connect({ servers: server.url, authenticator, reconnect: false, timeout: 5000 });
  }

  /** What the server says of publishing on each of these subjects: the refused ones. */
  async function refused(creds, subjects) {
    const connection = await login(creds);
    const found = [];
    (async () => {
      for await (const { error } of connection.status()) found.push(error?.message ?? "");
    })();
    for (const subject of subjects) connection.publish(subject, "x");
    // The answer to a ping comes behind those to what was published.
    await connection.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await connection.close();
    return subjects.filter((subject) => found.some((message) => message.includes(`"${subject}"`)));
  }

  const subjects = ["orders.1", "secret.1"];
  const issuerAccount = account.publicKey;
  const users = {
    "a user with permissions": () => cim.createUser({ name: "u", account: account.seed, claims: allowed }),
    "a user of a signing key": () => cim.createUser({ name: "u", account: signing, issuerAccount, claims: allowed }),
    "a user of a scope": () => cim.createUser({ name: "u", account: scoped, issuerAccount, scoped: true }),
  };
  for (const [who, make] of Object.entries(users)) {
    test(`logs in ${who} with our creds, who publishes where it may and nowhere else`, async () => {
      assert.deepEqual(await refused(cim.credentials(make()), subjects), ["secret.1"]);
    });
  }

  test("gives a message to who may have it", { timeout: 20_000 }, async () => {
    const connection = await login(cim.credentials(users["a user with permissions"]()));
    const messages = connection.subscribe("orders.*", { max: 1 });
    connection.publish("orders.2", "paid");
    const found = [];
    for await (const message of messages) found.push(message.string());
    assert.deepEqual(found, ["paid"]);
    await connection.close();
  });

  test("logs in creds of @nats-io/jwt, which we read as well", async () => {
    const pair = nkeys.createUser();
    const token = await jwt.encodeUser("v", pair, nkeys.fromSeed(account.seed), allowed);
    const creds = jwt.fmtCreds(token, pair);
    assert.deepEqual(await refused(creds, subjects), ["secret.1"]);
    const read = cim.readCredentials(creds);
    assert.deepEqual([read.token, read.publicKey, read.seed], [token, pair.getPublicKey(), pair.getSeed()]);
    assert.deepEqual(await refused(cim.credentials(read), subjects), ["secret.1"]);
  });

  test("refuses whom we find a server would refuse", async () => {
    const stranger = cim.createAccount({ name: "stranger", operator: cim.createKey("operator") });
    const now = new Date(Date.now() - 3600_000);
    const ended = { account: account.seed, now, ends: new Date(now.getTime() + 1000) };
    for (const options of [ended, { account: stranger.seed }, { account: scoped, issuerAccount }]) {
      const user = cim.createUser({ name: "u", ...options });
      const { ok } = cim.validateJwt(user.token, { account: account.token, operator: operator.token });
      assert.equal(ok, false);
      await assert.rejects(login(cim.credentials(user)), /authorization violation|expired/i);
    }
  });
});
