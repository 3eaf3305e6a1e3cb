/** Everything that the package exports, whatever it runs on. */

export { ChainVerifier, type ChainOptions, type Head } from "./chain.js";
export { CimError } from "./error.js";
export { ExportVerifier, verifyExport, type Bytes, type RefusedExport, type VerifiedExport, type VerifyReport } from "./export.js";
export {
  assertBlock,
  assertCid,
  blockOf,
  type Carrier,
  cidFromBytes,
  cidOf,
  cidOfBlock,
  cidToBytes,
  decodeMessage,
  type Header,
  type Headers,
  type Kind,
  type Message,
  parseHeaders,
  type RecordedEvent,
} from "./message.js";
export {
  type AggregateKey,
  assertSubject,
  CANONICAL_EVENTS,
  type Field,
  filterMatches,
  operationOfCommand,
  operationOfEvent,
  SubjectTemplate,
  type Template,
} from "./subject.js";
export { parseTime, type Time } from "./time.js";
