/** What tokens of NATS say, with the names of fields that they have on the wire. */

/** A limit; -1 for none. In a token an absent one is zero. */
export type Limit = number;

/** Fields that are not known here are kept. */
export interface Fields {
  readonly [name: string]: unknown;
}

/** Words that tools find a token by; servers find `name:value` in the permissions of scopes. */
export interface Tagged extends Fields {
  readonly tags?: readonly string[];
}

/** What a token has under `nats`, of an operator. */
export interface OperatorClaims extends Tagged {
  /** Further keys that may sign accounts, `O…`. */
  readonly signing_keys?: readonly string[];
  readonly account_server_url?: string;
  readonly operator_service_urls?: readonly string[];
  /** The account that servers speak of themselves in, `A…`. */
  readonly system_account?: string;
  /** The lowest version of servers, `2.12.14`. */
  readonly assert_server_version?: string;
  /** Whether identity keys sign nothing, and signing keys alone do. */
  readonly strict_signing_key_usage?: boolean;
}

/** What a token has under `nats`, of an account. */
export interface AccountClaims extends Tagged {
  readonly imports?: readonly Import[];
  readonly exports?: readonly Export[];
  /** What is not said is not limited; but there is no JetStream. */
  readonly limits?: AccountLimits;
  /** Further keys that sign users, `A…`, and such as have a scope. */
  readonly signing_keys?: readonly (string | Scope)[];
  /** Users whose tokens count no more, `U…` or `*`, and the second up to which. */
  readonly revocations?: Readonly<Record<string, number>>;
  readonly default_permissions?: Permissions;
  readonly mappings?: Readonly<Record<string, readonly Destination[]>>;
  readonly authorization?: Authorization;
  readonly trace?: Fields & { readonly dest?: string; readonly sampling?: number };
  readonly cluster_traffic?: "system" | "owner";
  readonly description?: string;
  readonly info_url?: string;
}

/** What a token has under `nats`, of a user. */
export interface UserClaims extends Tagged, UserLimits {
  /** The account, `A…`, where a signing key of it has signed. */
  readonly issuer_account?: string;
}

/** What a token has under `nats` that lets an account import something. */
export interface ActivationClaims extends Tagged {
  readonly subject?: string;
  readonly kind?: "stream" | "service";
  readonly issuer_account?: string;
}

/** Where a user may publish, and what it may subscribe to. */
export interface Permissions extends Fields {
  readonly pub?: Permission;
  readonly sub?: Permission;
  /** How often, and for how many nanoseconds, it may answer where it is asked to. */
  readonly resp?: Fields & { readonly max?: number; readonly ttl?: number };
}

/** Subjects that are allowed, and such as are not. What is denied is denied whatever is allowed. */
export interface Permission extends Fields {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** What a user may do, or all users that a scoped key signs. */
export interface UserLimits extends Permissions {
  readonly subs?: Limit;
  readonly data?: Limit;
  /** Bytes of a message. */
  readonly payload?: Limit;
  /** Networks, `10.0.0.0/8`. */
  readonly src?: readonly string[];
  /** Daily ranges, `HH:MM:SS`. */
  readonly times?: readonly { readonly start: string; readonly end: string }[];
  readonly times_location?: string;
  /** Whether the token alone is enough to log in: then it is a password. */
  readonly bearer_token?: boolean;
  readonly proxy_required?: boolean;
  readonly allowed_connection_types?: readonly string[];
}

/** What all users have that a key signs. */
export interface Scope extends Fields {
  readonly kind: "user_scope";
  readonly key: string;
  readonly role?: string;
  readonly template?: UserLimits;
  readonly description?: string;
}

/** How much of JetStream an account may have; there is none unless there is storage. */
export interface JetStreamLimits extends Fields {
  readonly mem_storage?: Limit;
  readonly disk_storage?: Limit;
  readonly streams?: Limit;
  readonly consumer?: Limit;
  readonly max_ack_pending?: Limit;
  readonly mem_max_stream_bytes?: Limit;
  readonly disk_max_stream_bytes?: Limit;
  readonly max_bytes_required?: boolean;
}

/** How much an account may have. */
export interface AccountLimits extends JetStreamLimits {
  readonly subs?: Limit;
  readonly data?: Limit;
  readonly payload?: Limit;
  readonly imports?: Limit;
  readonly exports?: Limit;
  readonly wildcards?: boolean;
  readonly disallow_bearer?: boolean;
  readonly conn?: Limit;
  readonly leaf?: Limit;
  /** By the number of replicas, `R1`, in place of those for all. */
  readonly tiered_limits?: Readonly<Record<string, JetStreamLimits>>;
}

/** What an account gives to others. */
export interface Export extends Fields {
  readonly name?: string;
  readonly subject: string;
  readonly type: "stream" | "service";
  readonly token_req?: boolean;
  readonly revocations?: Readonly<Record<string, number>>;
  readonly response_type?: "Singleton" | "Stream" | "Chunked";
  readonly response_threshold?: number;
  readonly service_latency?: Fields & { readonly sampling: number | "headers"; readonly results: string };
  readonly account_token_position?: number;
  readonly advertise?: boolean;
  readonly allow_trace?: boolean;
  readonly description?: string;
  readonly info_url?: string;
}

/** What an account takes from another. */
export interface Import extends Fields {
  readonly name?: string;
  readonly subject: string;
  readonly account: string;
  readonly type: "stream" | "service";
  readonly token?: string;
  readonly local_subject?: string;
  readonly share?: boolean;
  readonly allow_trace?: boolean;
}

/** One of the subjects that messages go to instead. */
export interface Destination extends Fields {
  readonly subject: string;
  readonly weight?: number;
  readonly cluster?: string;
}

/** Who decides about logins in place of the server. */
export interface Authorization extends Fields {
  readonly auth_users?: readonly string[];
  readonly allowed_accounts?: readonly string[];
  readonly xkey?: string;
}

/** The kinds of tokens, and what each says under `nats`. */
export interface ClaimsOf {
  readonly operator: OperatorClaims;
  readonly account: AccountClaims;
  readonly user: UserClaims;
  readonly activation: ActivationClaims;
}

/** The payload of a token. Times are seconds since 1970. */
export interface Payload<Claims> extends Fields {
  readonly jti?: string;
  readonly iat?: number;
  readonly iss: string;
  readonly name?: string;
  readonly sub: string;
  readonly aud?: string;
  readonly exp?: number;
  readonly nbf?: number;
  readonly nats: Claims & { readonly type: string; readonly version: number };
}

/** A token that was read and whose signature is right. */
export type DecodedJwt = {
  readonly [K in keyof ClaimsOf]: {
    readonly kind: K;
    /** 2, or 1 for one of an old tool, whose payload is told as version 2 says the same. */
    readonly version: number;
    /** The public key that has signed it. */
    readonly issuer: string;
    readonly payload: Payload<ClaimsOf[K]>;
  };
}[keyof ClaimsOf];
