// Written by `cargo xtask types`, from the schemas of cim-core. Do not edit it.

/** What each entity says that has a model. */
export interface Models {
  readonly compute: { readonly commands: Compute.Commands; readonly events: Compute.Events; readonly state: Compute.State };
  readonly person: { readonly commands: Person.Commands; readonly events: Person.Events; readonly state: Person.State };
}

/** What `compute` says. */
export declare namespace Compute {
  /** What can be asked, by the types of commands. */
  interface Commands {
    /** Have it from now on. */
    readonly RegisterResource: {
      /** Its name in the network. */
      readonly hostname: Hostname;
      /** What kind of thing it is. */
      readonly resource_type: ResourceType;
      /** Words that it is found by. */
      readonly tags?: Tags;
    };
    /** Let it belong to an organization. */
    readonly AssignOrganization: {
      /** Which. */
      readonly organization_id: OrganizationId;
    };
    /** Have it in a place. */
    readonly AssignLocation: {
      /** Which. */
      readonly location_id: LocationId;
    };
    /** Let a person answer for it. */
    readonly AssignOwner: {
      /** Who. */
      readonly owner_id: PersonId;
    };
    /** Let a policy hold for it. */
    readonly AddPolicy: {
      /** Which. */
      readonly policy_id: PolicyId;
    };
    /** Let a policy no longer hold for it. */
    readonly RemovePolicy: {
      /** Which. */
      readonly policy_id: PolicyId;
    };
    /** Let it stand for a concept of accounts. */
    readonly AssignAccountConcept: {
      /** Which. */
      readonly concept_id: ConceptId;
    };
    /** Let it stand for no concept of accounts. */
    readonly ClearAccountConcept: Readonly<Record<string, never>>;
    /** Know its hardware by these; what is `None` is not known any more. */
    readonly SetHardwareDetails: {
      /** Who made it. */
      readonly manufacturer?: Label | null;
      /** What its maker calls it. */
      readonly model?: Label | null;
      /** Which of them it is. */
      readonly serial_number?: Label | null;
    };
    /** Know it by a number of the owner's books. */
    readonly AssignAssetTag: {
      /** The number. */
      readonly asset_tag: Label;
    };
    /** Keep a value with it, in place of the one under that key. */
    readonly UpdateMetadata: {
      /** What it is kept under. */
      readonly key: MetadataKey;
      /** The value. */
      readonly value: MetadataValue;
    };
    /** Let it stand elsewhere in its life. */
    readonly ChangeStatus: {
      /** Where. */
      readonly to_status: Status;
    };
  }

  /** What can happen, by the types of events. */
  interface Events {
    /** It is there from now on, and is being provisioned. */
    readonly ResourceRegistered: {
      /** Its name in the network. */
      readonly hostname: Hostname;
      /** What kind of thing it is. */
      readonly resource_type: ResourceType;
      /** Words that it is found by. */
      readonly tags: Tags;
    };
    /** It belongs to an organization. */
    readonly OrganizationAssigned: {
      /** Which. */
      readonly organization_id: OrganizationId;
    };
    /** It stands in a place. */
    readonly LocationAssigned: {
      /** Which. */
      readonly location_id: LocationId;
    };
    /** A person answers for it. */
    readonly OwnerAssigned: {
      /** Who. */
      readonly owner_id: PersonId;
    };
    /** A policy holds for it. */
    readonly PolicyAdded: {
      /** Which. */
      readonly policy_id: PolicyId;
    };
    /** A policy no longer holds for it. */
    readonly PolicyRemoved: {
      /** Which. */
      readonly policy_id: PolicyId;
    };
    /** It stands for a concept of accounts. */
    readonly AccountConceptAssigned: {
      /** Which. */
      readonly concept_id: ConceptId;
    };
    /** It no longer stands for a concept of accounts. */
    readonly AccountConceptCleared: Readonly<Record<string, never>>;
    /** Its maker, model and serial number are these; what is `None` is not known any more. */
    readonly HardwareDetailsSet: {
      /** Who made it. */
      readonly manufacturer?: Label | null;
      /** What its maker calls it. */
      readonly model?: Label | null;
      /** Which of them it is. */
      readonly serial_number?: Label | null;
    };
    /** The owner's books know it by a number. */
    readonly AssetTagAssigned: {
      /** The number. */
      readonly asset_tag: Label;
    };
    /** A value is kept with it, in place of the one under that key. */
    readonly MetadataUpdated: {
      /** What it is kept under. */
      readonly key: MetadataKey;
      /** The value. */
      readonly value: MetadataValue;
    };
    /** It stands elsewhere in its life. */
    readonly StatusChanged: {
      /** Where it stood. */
      readonly from_status: Status;
      /** Where it stands. */
      readonly to_status: Status;
    };
  }

  /** A resource as its history tells. */
  type State =
    /** It was not registered. */
    | "absent"
    /** It was registered. */
    | {
      readonly known: Resource;
    };

  /**
   * The id of a concept, such as what an account stands for.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type ConceptId = string;

  /** The name of a host. No label has digits alone. */
  type Hostname = string;

  /** A short text of at most 128 bytes. */
  type Label = string;

  /**
   * The id of a place.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type LocationId = string;

  /** What a value is kept under. */
  type MetadataKey = string;

  /** What is kept under a key: at most 1024 bytes. */
  type MetadataValue = string;

  /**
   * The id of an organization.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type OrganizationId = string;

  /**
   * The id of a person.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type PersonId = string;

  /**
   * The id of a policy.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type PolicyId = string;

  /** What is known of a resource. */
  type Resource = {
    /** Its name in the network. */
    readonly hostname: Hostname;
    /** What kind of thing it is. */
    readonly resource_type: ResourceType;
    /** Words that it is found by. */
    readonly tags: Tags;
    /** The organization that it belongs to. */
    readonly organization_id: OrganizationId | null;
    /** The place where it stands. */
    readonly location_id: LocationId | null;
    /** Who answers for it. */
    readonly owner_id: PersonId | null;
    /** The policies that hold for it, at most `MAX_POLICIES`. */
    readonly policies: readonly PolicyId[];
    /** The concept of accounts that it stands for. */
    readonly account_concept_id: ConceptId | null;
    /** Who made it. */
    readonly manufacturer: Label | null;
    /** What its maker calls it. */
    readonly model: Label | null;
    /** Which of them it is. */
    readonly serial_number: Label | null;
    /** The number by which the owner's books know it. */
    readonly asset_tag: Label | null;
    /** What people keep with it, under at most `MAX_METADATA_KEYS` keys. */
    readonly metadata: Readonly<Record<string, MetadataValue>>;
    /** Where it stands in its life. */
    readonly status: Status;
  };

  /**
   * What kind of thing a resource is.
   *
   * A text that names none of them is no kind: `Unknown` is what somebody has said, and
   * never a guess.
   */
  type ResourceType =
    /** A server that can be touched. */
    | "physical_server"
    /** A machine within another one. */
    | "virtual_machine"
    /** A machine that runs containers. */
    | "container_host"
    /** What runs virtual machines. */
    | "hypervisor"
    /** Joins networks. */
    | "router"
    /** Joins the machines of one network. */
    | "switch"
    /** A switch that routes too. */
    | "layer3_switch"
    /** Joins machines to a network by radio. */
    | "access_point"
    /** Spreads requests over machines. */
    | "load_balancer"
    /** Lets through what may pass. */
    | "firewall"
    /** An intrusion detection system. */
    | "ids"
    /** The end of private tunnels. */
    | "vpn_gateway"
    /** A firewall for applications on the web. */
    | "waf"
    /** Watches a place. */
    | "camera"
    /** Many disks as one. */
    | "storage_array"
    /** Storage for files on a network. */
    | "nas"
    /** A switch of a network for storage. */
    | "san_switch"
    /** A device for one job. */
    | "appliance"
    /** A device that keeps copies. */
    | "backup_appliance"
    /** A device that watches others. */
    | "monitoring_appliance"
    /** Says who somebody is. */
    | "auth_server"
    /** A switch of keyboard, screen and mouse. */
    | "kvm"
    /** A screen. */
    | "monitor"
    /** A machine near what it serves. */
    | "edge_device"
    /** Joins things to a network. */
    | "iot_gateway"
    /** Measures something. */
    | "sensor"
    /** A power distribution unit. */
    | "pdu"
    /** A power supply that outlasts a failure of the mains. */
    | "ups"
    /** Watches temperature and moisture. */
    | "environmental_monitor"
    /** A private branch exchange, for telephones. */
    | "pbx"
    /** Shows people to each other. */
    | "video_conference"
    /** None of these. */
    | "other"
    /** Nobody has said. */
    | "unknown";

  /** Where a resource stands in its life. */
  type Status =
    /** It is being made ready. */
    | "provisioning"
    /** It does its work. */
    | "active"
    /** It is there, and does no work for a while. */
    | "maintenance"
    /** It does no work any more, for good. */
    | "decommissioned";

  /** A word that a resource is found by. */
  type Tag = string;

  /** Tags in their order, none twice. */
  type Tags = readonly Tag[];
}

/** What `person` says. */
export declare namespace Person {
  /** What can be asked, by the types of commands. */
  interface Commands {
    /** Take note of a person. */
    readonly CreatePerson: {
      /** The name. */
      readonly name: PersonName;
      /** Where the person is known from. */
      readonly source: Label;
    };
    /** Take note of another name. */
    readonly UpdateName: {
      /** The name from now on. */
      readonly name: PersonName;
      /** Why, for people. */
      readonly reason?: Reason | null;
    };
    /** Take note of the day of birth, once and for all. */
    readonly SetBirthDate: {
      /** The day. */
      readonly birth_date: Date;
    };
    /** Take note of the person's death. Nothing can be changed after that. */
    readonly RecordDeath: {
      /** The day. */
      readonly date_of_death: Date;
    };
    /** Let the person take part no more for a while. */
    readonly DeactivatePerson: {
      /** Why, for people. */
      readonly reason: Reason;
    };
    /** Let the person take part again. */
    readonly ReactivatePerson: {
      /** Why, for people. */
      readonly reason: Reason;
    };
    /** Close the record. Nothing can be changed after that. */
    readonly ArchivePerson: {
      /** Why, for people. */
      readonly reason: Reason;
    };
    /**
     * Let the record of another person go on in place of this one. Nothing can be changed after that.
     *
     * That it is another one is not judged here: a person does not know its own id.
     */
    readonly MergePersons: {
      /** The other one. */
      readonly target_person_id: PersonId;
      /** Why. */
      readonly merge_reason: MergeReason;
    };
    /** Take note of an address. */
    readonly AddEmail: {
      /** The address. */
      readonly email: EmailAddress;
      /** Whether it is the one to use first. */
      readonly primary: boolean;
    };
    /** Take note that an address is the person's indeed. */
    readonly VerifyEmail: {
      /** The address. */
      readonly email: EmailAddress;
    };
    /** Forget an address. */
    readonly RemoveEmail: {
      /** The address. */
      readonly email: EmailAddress;
    };
    /** Take note of a phone. */
    readonly AddPhone: {
      /** Its number. */
      readonly phone: PhoneNumber;
      /** Whether it is the one to use first. */
      readonly primary: boolean;
    };
    /** Forget a phone. */
    readonly RemovePhone: {
      /** What was dialled. */
      readonly phone: DialNumber;
    };
    /** Take note of a location. */
    readonly AssignLocation: {
      /** The location. */
      readonly location_id: LocationId;
      /** What it is to the person: `home`. */
      readonly location_type: Label;
    };
    /** Take note of an organization that the person works for. */
    readonly AddEmployment: {
      /** The organization. */
      readonly organization_id: OrganizationId;
      /** What the person does there. */
      readonly role: Label;
    };
    /** Take note of an identity with which the person logs in. */
    readonly LinkIdentity: {
      /** The identity. */
      readonly identity_id: IdentityId;
      /** Its kind. */
      readonly identity_type: Label;
    };
    /** Take note of what another system calls the person. */
    readonly AddExternalIdentifier: {
      /** The system. */
      readonly system: Label;
      /** What it calls the person. */
      readonly identifier: Label;
    };
  }

  /** What can happen, by the types of events. */
  interface Events {
    /** The person is known from now on. */
    readonly PersonCreated: {
      /** The name. */
      readonly name: PersonName;
      /** Where the person is known from. */
      readonly source: Label;
    };
    /** The name is another one. */
    readonly NameUpdated: {
      /** The name before, where it is known. */
      readonly old_name?: PersonName | null;
      /** The name from now on. */
      readonly new_name: PersonName;
      /** Why, for people. */
      readonly change_reason?: Reason | null;
    };
    /** The day of birth is known. */
    readonly BirthDateSet: {
      /** The day. */
      readonly birth_date: Date;
    };
    /** The person died. */
    readonly DeathRecorded: {
      /** The day. */
      readonly date_of_death: Date;
    };
    /** The person takes part again. */
    readonly PersonActivated: {
      /** Why, for people. */
      readonly reason: Reason;
    };
    /** The person takes part no more for a while. */
    readonly PersonSuspended: {
      /** Why, for people. */
      readonly reason: Reason;
    };
    /** The record is closed. */
    readonly PersonArchived: {
      /** Why, for people. */
      readonly reason: Reason;
    };
    /** The record of another person goes on in place of this one. */
    readonly PersonMerged: {
      /** The other one. */
      readonly target_person_id: PersonId;
      /** Why. */
      readonly merge_reason: MergeReason;
    };
    /** Mail reaches the person at an address. */
    readonly EmailAdded: {
      /** The address. */
      readonly email: EmailAddress;
      /** Whether it is the one to use first. */
      readonly primary: boolean;
    };
    /** The address is the person's indeed. */
    readonly EmailVerified: {
      /** The address. */
      readonly email: EmailAddress;
    };
    /** Mail reaches the person at an address no more. */
    readonly EmailRemoved: {
      /** The address. */
      readonly email: EmailAddress;
    };
    /** The person answers a phone. */
    readonly PhoneAdded: {
      /** Its number. */
      readonly phone: PhoneNumber;
      /** Whether it is the one to use first. */
      readonly primary: boolean;
    };
    /** The person answers a phone no more. */
    readonly PhoneRemoved: {
      /** What was dialled. */
      readonly phone: DialNumber;
    };
    /** The person is to be found at a location. */
    readonly LocationAssigned: {
      /** The location. */
      readonly location_id: LocationId;
      /** What it is to the person: `home`. */
      readonly location_type: Label;
    };
    /** The person works for an organization. */
    readonly EmploymentAdded: {
      /** The organization. */
      readonly organization_id: OrganizationId;
      /** What the person does there. */
      readonly role: Label;
    };
    /** The person has an identity with which to log in. */
    readonly IdentityLinked: {
      /** The identity. */
      readonly identity_id: IdentityId;
      /** Its kind. */
      readonly identity_type: Label;
    };
    /** Another system knows the person by an identifier. */
    readonly ExternalIdentifierAdded: {
      /** The system. */
      readonly system: Label;
      /** What it calls the person. */
      readonly identifier: Label;
    };
  }

  /** A person as its history tells. */
  type State = {
    /** How far the record has come. */
    readonly lifecycle: Lifecycle;
    /** The name; `None` before the person is created. */
    readonly name: StatePersonName | null;
    /** Where the person is known from. */
    readonly source: Label | null;
    /** The day of birth. */
    readonly birth_date: Date | null;
    /** The day of death. */
    readonly death_date: Date | null;
    /** Why the person was suspended or the record was archived, as long as it is so. */
    readonly reason: Reason | null;
    /** The person whose record goes on, as long as this one is merged into it. */
    readonly merged_into: PersonId | null;
    /** Addresses of e-mail, the newest last. */
    readonly emails: readonly Email[];
    /** Phones, the newest last. */
    readonly phones: readonly Phone[];
    /** Where the person is to be found, the newest last. */
    readonly locations: readonly Location[];
    /** Whom the person works for, the newest last. */
    readonly employments: readonly Employment[];
    /** Identities with which the person logs in, the newest last. */
    readonly identities: readonly Identity[];
    /** What other systems call the person, the newest last. */
    readonly external_identifiers: readonly ExternalIdentifier[];
  };

  /** A day of the calendar: `1912-06-23`. */
  type Date = string;

  /** What is dialled: at least three digits. */
  type DialNumber = string;

  /** An address of e-mail that a person has. */
  type Email = {
    /** The address. */
    readonly email: EmailAddress;
    /** Whether it is the person's indeed. */
    readonly verified: boolean;
    /** Whether it is the one to use first. */
    readonly primary: boolean;
  };

  /** An address of e-mail, whose domain has a dot. */
  type EmailAddress = string;

  /** Whom a person works for. */
  type Employment = {
    /** The organization. */
    readonly organization_id: OrganizationId;
    /** What the person does there. */
    readonly role: Label;
  };

  /** What another system calls a person. */
  type ExternalIdentifier = {
    /** The system. */
    readonly system: Label;
    /** What it calls the person. */
    readonly identifier: Label;
  };

  /** An identity with which a person logs in. */
  type Identity = {
    /** The identity. */
    readonly identity_id: IdentityId;
    /** Its kind. */
    readonly identity_type: Label;
  };

  /**
   * The id of an identity, with which somebody logs in.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type IdentityId = string;

  /** A short text of at most 128 bytes. */
  type Label = string;

  /** How far a record has come. */
  type Lifecycle =
    /** There is no such person yet. */
    | "draft"
    /** The person takes part. */
    | "active"
    /** The person takes part no more for a while. */
    | "suspended"
    /** The record is closed. */
    | "archived"
    /** The person has died. */
    | "deceased"
    /** The record of another person goes on. */
    | "merged";

  /** Where a person is to be found. */
  type Location = {
    /** The location. */
    readonly location_id: LocationId;
    /** What it is to the person. */
    readonly location_type: Label;
  };

  /**
   * The id of a place.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type LocationId = string;

  /** Why two records are one person's. */
  type MergeReason =
    /** Somebody was recorded twice. */
    | "DuplicateIdentity"
    /** The data was bad. */
    | "DataQualityIssue"
    /** The person asked for it. */
    | "UserRequested"
    /** A rule demanded it. */
    | "PolicyDetermined";

  /** What a name consists of: at least a given or a family name. */
  type NameComponents = {
    /** Given names, the first one first. */
    readonly given_names?: readonly string[];
    /** Family names, in their order. */
    readonly family_names?: readonly string[];
    /** A name after the father's. */
    readonly patronymic?: string | null;
    /** A name after the mother's. */
    readonly matronymic?: string | null;
    /** What stands in front: `Dr`. */
    readonly prefixes?: readonly string[];
    /** What stands behind: `Jr.`, `PhD`. */
    readonly suffixes?: readonly string[];
  };

  /** How a name is made of its parts. */
  type NamingConvention =
    /** Given names, then a family name. */
    | "Western"
    /** Given names, then two family names. */
    | "Spanish"
    /** The family name, then given names. */
    | "EastAsian"
    /** Given names, then a name after a parent's. */
    | "Patronymic"
    /** One name, or one that is not taken apart. */
    | "Mononymic"
    /** Another one. */
    | "Other";

  /**
   * The id of an organization.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type OrganizationId = string;

  /**
   * The id of a person.
   *
   * As text it is a UUID of lower case with hyphens, of whichever version.
   */
  type PersonId = string;

  /** The name of a person, in parts. */
  type PersonName = {
    /** Its parts. */
    readonly components: NameComponents;
    /** What the person prefers to be called. */
    readonly preferred_form?: string | null;
    /** How it is made of its parts. */
    readonly naming_convention?: NamingConvention;
  };

  /** A phone that a person has. */
  type Phone = {
    /** Its number. */
    readonly phone: StatePhoneNumber;
    /** Whether it is the one to use first. */
    readonly primary: boolean;
  };

  /** The number of a phone. */
  type PhoneNumber = {
    /** What is dialled. */
    readonly number: DialNumber;
    /** The country: its calling code or its two letters. */
    readonly country_code?: string | null;
    /** The extension behind the number. */
    readonly extension?: string | null;
  };

  /** Why something is done, for people: at most 500 bytes. */
  type Reason = string;

  /** What a name consists of: at least a given or a family name. */
  type StateNameComponents = {
    /** Given names, the first one first. */
    readonly given_names: readonly string[];
    /** Family names, in their order. */
    readonly family_names: readonly string[];
    /** A name after the father's. */
    readonly patronymic: string | null;
    /** A name after the mother's. */
    readonly matronymic: string | null;
    /** What stands in front: `Dr`. */
    readonly prefixes: readonly string[];
    /** What stands behind: `Jr.`, `PhD`. */
    readonly suffixes: readonly string[];
  };

  /** The name of a person, in parts. */
  type StatePersonName = {
    /** Its parts. */
    readonly components: StateNameComponents;
    /** What the person prefers to be called. */
    readonly preferred_form: string | null;
    /** How it is made of its parts. */
    readonly naming_convention: NamingConvention;
  };

  /** The number of a phone. */
  type StatePhoneNumber = {
    /** What is dialled. */
    readonly number: DialNumber;
    /** The country: its calling code or its two letters. */
    readonly country_code: string | null;
    /** The extension behind the number. */
    readonly extension: string | null;
  };
}
