export type { AnswerStats, StoredAnswers, UserAnswers } from './answers/api.ts'
export { type ImportOptions, type ImportReport, importedRequest } from './answers/legacy-import.ts'
export type {
  Context,
  ContextSection,
  ExplainedSection,
  Explanation,
  Reason,
  ResolveOptions,
  UserContext,
} from './context/api.ts'
export type { Action, ActionInput, Actions, Profile, ProfileFields } from './context/records.ts'
export { type CopyStoreOptions, copyStore } from './copy-store.ts'
export { type Diagnostics, onDiagnostic } from './core/diagnostics.ts'
export { type Effects, systemEffects } from './core/effects.ts'
export { escapeEnv, expandEnv } from './core/env.ts'
export { ERRORS, type ErrorCode, PurserError, suggestion } from './errors.ts'
export type { Instance } from './instances.ts'
export type { Event } from './journal/event.ts'
export type { AdmitOptions, Note, UserLedger, Verification } from './ledger/api.ts'
export type { AuditPage, ReadAuditOptions } from './ledger/audit-log.ts'
export type { Bond } from './ledger/bond.ts'
export type {
  Admission,
  Admitted,
  ReachedLimit,
  Refused,
  RefusedByLimit,
  RefusedOtherwise,
} from './ledger/decide/admission.ts'
export type { DetectionInput } from './ledger/detection.ts'
export type { LimitState } from './ledger/limits/limit-state.ts'
export type { ListUsersOptions, UserPage } from './ledger/list-users.ts'
export type { Quota } from './ledger/quota.ts'
export type { RecentEvents, RecentEventsOptions } from './ledger/recent-events.ts'
export type { DaysOptions, OverviewDay, PhaseChange, PhaseTransition } from './ledger/turns/read-days.ts'
export type { TurnsOptions, UserTurnsOptions } from './ledger/turns/read-turns.ts'
export type { UsageBy, UsageOptions, UsageSum, UserUsageBy, UserUsageOptions } from './ledger/turns/read-usage.ts'
export type { SimulatedUser, SimulateOptions, Simulation } from './ledger/turns/simulate.ts'
export type { TurnAttempt, TurnOutcome, TurnRecord, TurnSection } from './ledger/turns/turn-record.ts'
export type { ChatChunk, ChatCompletion, ChatRequest } from './openai/chat.ts'
export {
  createErrorResponse,
  type ErrorResponse,
  type ErrorResponseContext,
  toErrorResponse,
  toRefusalResponse,
} from './openai/error-response.ts'
export { rateLimitHeaders } from './openai/rate-limit-headers.ts'
export type {
  HttpSource,
  Mode,
  Render,
  RenderContext,
  Rendered,
  SectionOption,
  Source,
  SourceFunction,
} from './options/context-section.ts'
export { PROVIDER_KINDS, type ProviderConfig } from './options/provider-config.ts'
export type { SettingsPatch } from './options/settings-patch.ts'
export {
  DEFAULTS,
  type Limit,
  type LimitWindow,
  type ModelPrice,
  type PlanConfig,
  type PurserOptions,
} from './options.ts'
export type { Purser } from './purser/api.ts'
export { openPurser } from './purser/open-purser.ts'
export type {
  AcquireOptions,
  ConfigureOptions,
  Lease,
  McpAuthorization,
  Override,
  Session,
  Settings,
  UserRuntime,
} from './runtime/api.ts'
export type { CopyProgress, CopyReport } from './storage/copy-rows.ts'
export type { MetaStore, Overview, Store, StoreTraits } from './storage/store.ts'
export type { AnsweredTurn } from './turn/answered-turn.ts'
export type { RefusedTurn } from './turn/http-response.ts'
export type { TurnFailure, TurnOptions } from './turn/options.ts'
export type { Turn } from './turn/take-turn.ts'
export type { EraseReceipt, ExportRow, User } from './user.ts'
export type { Plan, Vocabulary } from './vocabulary.ts'
