// The vectors of identity, run on the package; in Node and in browsers alike.

const text = new TextEncoder();

function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g), (byte) => Number.parseInt(byte, 16));
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The options of `issue` that a vector's request is. */
export function optionsOf({ kind, now, begins, ends, ...rest }) {
  const time = (name, value) => (value === undefined ? {} : { [name]: new Date(value) });
  return { ...rest, now: new Date(now), ...time("begins", begins), ...time("ends", ends) };
}

/** Runs all vectors; gives `[what, expected, found]` of each. */
export function run(cim, { keys, tokens, refused, verdicts }) {
  const checks = [];
  const check = (what, expected, found) => checks.push([what, expected, found]);

  for (const { kind, entropy_hex, seed, public_key, message_hex, signature_hex } of keys) {
    const made = cim.createKey(kind, { entropy: fromHex(entropy_hex) });
    check(`${kind}: seed`, seed, new TextDecoder().decode(made));
    check(`${kind}: public key`, public_key, cim.publicKeyOf(made));
    if (signature_hex === null) continue;
    const signature = cim.sign(made, fromHex(message_hex));
    check(`${kind}: signature`, signature_hex, toHex(signature));
    check(`${kind}: verified`, true, cim.verify(public_key, fromHex(message_hex), signature));
    check(`${kind}: of another message`, false, cim.verify(public_key, text.encode("other"), signature));
  }
  for (const { why, issuer, request, token, payload, creds } of tokens) {
    check(why, token, cim.issue(request.kind, { ...optionsOf(request), issuer: text.encode(issuer) }));
    const read = cim.decodeJwt(token);
    check(`${why}: payload`, payload, read.payload);
    check(`${why}: issuer`, cim.publicKeyOf(text.encode(issuer)), read.issuer);
    if (creds === null) continue;
    const seed = cim.createKey("user", { entropy: fromHex(keys[0].entropy_hex) });
    check(`${why}: creds`, creds, new TextDecoder().decode(cim.credentials({ token, seed })));
    const { token: again } = cim.readCredentials(text.encode(creds));
    check(`${why}: creds read`, token, again);
  }
  for (const { why, issuer, request, code, message, findings } of refused) {
    try {
      cim.issue(request.kind, { ...optionsOf(request), issuer: text.encode(issuer) });
      check(why, code, "issued");
    } catch (error) {
      const found = [error.name, error.code, error.message, error.fields.findings ?? null];
      check(why, ["CimError", code, message, findings], found);
    }
  }
  for (const { token, account, operator, at, ok, findings } of verdicts) {
    const known = { at: new Date(at), ...(account && { account }), ...(operator && { operator }) };
    const found = cim.validateJwt(token, known);
    check(`verdict on ${token.slice(-8)}`, [ok, findings], [found.ok, found.findings]);
  }
  return checks;
}
