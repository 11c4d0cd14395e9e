export type { AnswerStats } from './answers/answers.ts'
export { type ImportOptions, type ImportReport, importedRequest } from './answers/import.ts'
export type { UserAnswers } from './answers/user-answers.ts'
export type {
  Context,
  ContextSection,
  HttpSource,
  Render,
  Rendered,
  ResolveOptions,
  Scene,
  SectionOption,
  Source,
  SourceFunction,
  UserContext,
} from './context/port.ts'
export type { Action, ActionInput, Actions, Profile, ProfileFields } from './context/records.ts'
export { type Effects, systemEffects } from './effects.ts'
export { expandEnvironment, unexpanded } from './environment.ts'
export { ERRORS, type ErrorCode, PurserError, suggestion } from './errors.ts'
export type { Event } from './journal/fold.ts'
export type { Bond } from './ledger/bond.ts'
export type { Admission, Admitted, Refused } from './ledger/decide/admission.ts'
export type { DetectionInput } from './ledger/detection.ts'
export type { UserPage, UserQueryInput } from './ledger/listing.ts'
export type { Note } from './ledger/notes.ts'
export type { UserLedger } from './ledger/port.ts'
export type { Quota } from './ledger/rules.ts'
export type { Verification } from './ledger/verify.ts'
export type { ChatChunk, ChatCompletion, ChatRequest } from './model/chat.ts'
export { openPurser, type Purser } from './open.ts'
export { DEFAULTS, PROVIDER_KINDS, type ProviderConfig, type PurserOptions } from './options.ts'
export type { Lease, McpAuthorization, Session, Settings, UserRuntime } from './runtime/port.ts'
export { onSignal, type Signals } from './signals.ts'
export type { MetaStore, Overview, Store, StoreTraits } from './store.ts'
export type { TurnOptions } from './turn/house.ts'
export type { AnsweredTurn } from './turn/reading.ts'
export type { RefusedTurn } from './turn/refusal.ts'
export type { Turn } from './turn.ts'
export type { EraseReceipt, ExportRow, User } from './user.ts'
export { limitHeaders } from './wire/limits.ts'
export { type Problem, type ProblemContext, problemOf, problemWith, refusalOf } from './wire/problems.ts'
