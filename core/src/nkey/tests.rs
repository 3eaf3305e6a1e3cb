use data_encoding::HEXLOWER;
use nkeys::{KeyPair, KeyPairType, XKey};

use super::*;

/// Secret, public key, message and signature (RFC 8032, 7.1, tests 1 to 3).
const RFC_8032: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

const SIGNING: [(KeyKind, KeyPairType); 5] = [
    (KeyKind::Operator, KeyPairType::Operator),
    (KeyKind::Account, KeyPairType::Account),
    (KeyKind::User, KeyPairType::User),
    (KeyKind::Server, KeyPairType::Server),
    (KeyKind::Cluster, KeyPairType::Cluster),
];

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let bytes = HEXLOWER.decode(hex.as_bytes()).expect("hex");
    bytes.try_into().expect("that many")
}

#[test]
fn signatures_are_those_of_the_rfc() {
    for [secret, public, message, signature] in RFC_8032 {
        let seed = Seed::new(KeyKind::User, bytes(secret));
        assert_eq!(seed.public_key().to_bytes(), bytes(public));
        let message = HEXLOWER.decode(message.as_bytes()).expect("hex");
        assert_eq!(seed.sign(&message), Ok(bytes(signature)));
        let public = seed.public_key();
        assert_eq!(public.verify(&message, &bytes::<64>(signature)), Ok(()));
        assert_eq!(
            public.verify(b"other", &bytes::<64>(signature)),
            Err(NkeyError::Signature)
        );
    }
}

#[test]
fn texts_are_those_of_the_crate() {
    for (kind, other) in SIGNING {
        for byte in [0, 1, 127, 255] {
            let seed = Seed::new(kind, [byte; 32]);
            let pair = KeyPair::new_from_raw(other.clone(), [byte; 32]).expect("32 bytes");
            assert_eq!(seed.public_key().as_str(), pair.public_key());
            assert_eq!(*seed.expose(), pair.seed().expect("a seed"));
            assert_eq!(seed.public_key().kind(), kind);
        }
    }
    let seed = Seed::new(KeyKind::Curve, [9; 32]);
    let pair = XKey::new_from_raw([9; 32]);
    assert_eq!(seed.public_key().as_str(), pair.public_key());
    assert_eq!(*seed.expose(), pair.seed().expect("a seed"));
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    for kind in KeyKind::ALL {
        let seed = Seed::new(kind, [3; 32]);
        let text = seed.expose();
        assert_eq!(text.chars().nth(1), Some(kind.letter()));
        let read = Seed::parse(&text).expect("ours");
        assert_eq!((read.kind(), read.public_key()), (kind, seed.public_key()));
        assert_eq!(*read.expose(), *text);
        let public = seed.public_key();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert!(public.as_str().starts_with(kind.letter()));
    }
}

#[test]
fn a_seed_that_is_none_is_refused_and_not_shown() {
    let text = Seed::new(KeyKind::User, [7; 32]).expose().to_string();
    let altered = |at: usize, to: &str| format!("{}{to}{}", &text[..at], &text[at + 1..]);
    for (wrong, expected) in [
        (String::new(), NkeyError::SeedLength { found: 0 }),
        (text[1..].to_owned(), NkeyError::SeedLength { found: 57 }),
        (format!("{text}\n"), NkeyError::SeedLength { found: 59 }),
        (altered(9, "1"), NkeyError::SeedDigits),
        (text.to_lowercase(), NkeyError::SeedDigits),
        (altered(56, "é"), NkeyError::SeedLength { found: 59 }),
        (altered(9, "A"), NkeyError::SeedChecksum),
    ] {
        let error = Seed::parse(&wrong).expect_err(&wrong);
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains(&text[4..12]));
    }
}

/// Kinds of other programs, and such as nobody has: the crate takes the last for an operator's.
#[test]
fn a_seed_of_an_unknown_kind_is_refused() {
    for kind in [KeyPairType::Module, KeyPairType::Service] {
        let pair = KeyPair::new_from_raw(kind, [7; 32]).expect("32 bytes");
        let seed = pair.seed().expect("a seed");
        assert_eq!(
            Seed::parse(&seed).expect_err("unknown"),
            NkeyError::SeedKind
        );
        let public = pair.public_key();
        let error = public.parse::<PublicKey>().expect_err("unknown");
        assert_eq!(error, NkeyError::PublicKey { text: public });
    }
    // `SZ…`, with its checksum.
    let unknown = seed_with_prefix([18 << 3 | 0b110, 0b0100_0000]);
    assert!(unknown.starts_with("SZ"), "{unknown}");
    assert!(KeyPair::from_seed(&unknown).is_ok());
    assert_eq!(
        Seed::parse(&unknown).expect_err("unknown"),
        NkeyError::SeedKind
    );
    // No seed, and one with bits where there are none.
    for prefix in [[15 << 3, 0], [18 << 3 | 0b101, 1]] {
        let wrong = seed_with_prefix(prefix);
        assert_eq!(
            Seed::parse(&wrong).expect_err("unknown"),
            NkeyError::SeedKind
        );
    }
}

fn seed_with_prefix(prefix: [u8; 2]) -> String {
    let mut raw = prefix.to_vec();
    raw.extend([7; 32]);
    raw.extend(crc(&raw).to_le_bytes());
    data_encoding::BASE32_NOPAD.encode(&raw)
}

/// Bit by bit, unlike the one that is tested.
fn crc(bytes: &[u8]) -> u16 {
    let mut rest = 0u32;
    for byte in bytes.iter().chain(&[0, 0]) {
        for bit in (0..8).rev() {
            rest = rest << 1 | u32::from(byte >> bit & 1);
            if rest & 0x1_0000 != 0 {
                rest ^= 0x1_1021;
            }
        }
    }
    u16::try_from(rest).expect("16 bits")
}

#[test]
fn a_secret_in_the_place_of_a_public_key_is_not_shown() {
    let seed = Seed::new(KeyKind::Account, [7; 32]);
    let error = seed.expose().parse::<PublicKey>().expect_err("a seed");
    assert_eq!(
        error,
        NkeyError::PublicKey {
            text: "…".to_owned()
        }
    );
    let shown = format!("{seed:?}");
    assert_eq!(shown, format!("Seed({})", seed.public_key()));
    let user = Seed::new(KeyKind::User, [7; 32]).public_key();
    let error = PublicKey::of_kind(user.as_str(), KeyKind::Account).expect_err("a user");
    assert_eq!(
        error.to_string(),
        "wrong kind of key: expected account, found user"
    );
}

/// The neutral element signs everything where orders are not looked at.
#[test]
fn no_key_verifies_everything() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let key = PublicKey::new(KeyKind::User, &neutral);
    let mut signature = [0; 64];
    signature[0] = 1;
    assert_eq!(
        key.verify(b"anything", &signature),
        Err(NkeyError::Signature)
    );
    let pair = KeyPair::from_public_key(key.as_str()).expect("a point");
    assert!(pair.verify(b"anything", &signature).is_ok());
    let no_point = PublicKey::new(KeyKind::User, &[2; 32]);
    assert_eq!(no_point.verify(b"", &[0; 64]), Err(NkeyError::Signature));
    assert_eq!(no_point.verify(b"", &[0; 63]), Err(NkeyError::Signature));
}

#[test]
fn what_is_sealed_is_opened_by_its_reader_alone() {
    let [ours, theirs, other] = [1, 2, 3].map(|byte| Seed::new(KeyKind::Curve, [byte; 32]));
    let sealed = ours.seal(b"a secret", &theirs.public_key(), [5; NONCE_LEN]);
    let mut sealed = sealed.expect("curve keys seal");
    assert!(sealed.starts_with(b"xkv1"));
    let opened = theirs.open(&sealed, &ours.public_key()).expect("its own");
    assert_eq!(opened.as_slice(), b"a secret");
    let by_crate = XKey::new_from_raw([2; 32])
        .open(&sealed, &XKey::new_from_raw([1; 32]))
        .expect("the same form");
    assert_eq!(by_crate, b"a secret");
    for (reader, writer) in [(&other, &ours), (&theirs, &other)] {
        let error = reader
            .open(&sealed, &writer.public_key())
            .expect_err("not theirs");
        assert_eq!(error, NkeyError::Sealed);
    }
    *sealed.last_mut().expect("bytes") ^= 1;
    for altered in [
        &sealed[..],
        b"",
        b"xkv1",
        b"xkv2567890123456789012345678901234567890",
    ] {
        let error = theirs
            .open(altered, &ours.public_key())
            .expect_err("altered");
        assert_eq!(error, NkeyError::Sealed);
    }
}

#[test]
fn a_key_does_what_its_kind_does() {
    let [user, curve] = [KeyKind::User, KeyKind::Curve].map(|kind| Seed::new(kind, [1; 32]));
    let signs = |found| NkeyError::Kind {
        expected: "one that signs",
        found,
    };
    let seals = |found| NkeyError::Kind {
        expected: "curve",
        found,
    };
    assert_eq!(curve.sign(b""), Err(signs(KeyKind::Curve)));
    assert_eq!(
        curve.public_key().verify(b"", &[0; 64]),
        Err(signs(KeyKind::Curve))
    );
    let nonce = [0; NONCE_LEN];
    for (ours, other) in [(&user, &curve), (&curve, &user)] {
        let error = ours.seal(b"", &other.public_key(), nonce);
        assert_eq!(error, Err(seals(KeyKind::User)));
        let error = ours.open(b"", &other.public_key()).expect_err("a user's");
        assert_eq!(error, seals(KeyKind::User));
    }
}
