import { listSchema, type Schema, TEXT } from './schemas.ts'

/*
 * The shapes of responses, for the API document and the types that are generated from it. A response may have more
 * fields than its schema: the API only grows.
 */

const NUMBER: Schema = { type: 'number' }
const BOOLEAN: Schema = { type: 'boolean' }
const TEXTS: Schema = { type: 'array', items: TEXT }
const TEXT_OR_NULL: Schema = { type: ['string', 'null'] }
const NUMBER_OR_NULL: Schema = { type: ['number', 'null'] }
/** A number; of costs decimal text. */
const AMOUNT: Schema = { type: ['number', 'string'] }
const AMOUNT_OR_NULL: Schema = { type: ['number', 'string', 'null'] }
const FIELDS: Schema = { type: 'object', additionalProperties: true }
const COUNTS: Schema = { type: 'object', additionalProperties: NUMBER }

const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: values })
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })
const arrayOf = (items: Schema): Schema => ({ type: 'array', items })

/** An object whose fields are all there, apart from those of `optional`. */
function fields(required: Readonly<Record<string, Schema>>, optional: Readonly<Record<string, Schema>> = {}): Schema {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } }
}

const BLOCK = fields({ at: TEXT, actor: TEXT, reason: TEXT, until: TEXT_OR_NULL })
const PEAK = fields({ value: NUMBER, at: TEXT })
const HEAD = fields({ sequence: NUMBER, mac: TEXT })

const Bond = fields({
  user: TEXT,
  exists: BOOLEAN,
  version: NUMBER,
  phase: TEXT,
  previousPhase: TEXT,
  archetype: TEXT,
  phaseEnteredAt: TEXT_OR_NULL,
  turnCount: NUMBER,
  peaks: { type: 'object', additionalProperties: PEAK },
  riskLevel: TEXT,
  dailyCap: NUMBER,
  capOrigin: TEXT,
  plan: TEXT_OR_NULL,
  planOrigin: oneOf('default', 'user'),
  dailyCount: NUMBER,
  windowResetAt: TEXT_OR_NULL,
  blocked: nullable(BLOCK),
  eggStatus: TEXT,
  notesCount: NUMBER,
  timeZone: TEXT,
  createdAt: TEXT_OR_NULL,
  lastSeenAt: TEXT_OR_NULL,
  updatedAt: TEXT_OR_NULL,
  head: nullable(HEAD),
})

const Event = fields(
  { v: NUMBER, id: TEXT, user: TEXT, sequence: NUMBER, at: TEXT, type: TEXT, detail: TEXT, data: FIELDS, mac: TEXT },
  { actor: TEXT, reason: TEXT, policy: TEXT },
)

const Note = fields({ id: TEXT, at: TEXT, actor: TEXT, text: TEXT })

const PROBLEM_OF_LOG = fields({ problem: TEXT }, { user: TEXT, sequence: NUMBER })
const Verification = fields({ ok: BOOLEAN, checked: NUMBER }, { firstBad: PROBLEM_OF_LOG })

const MODEL = fields({ provider: TEXT, model: TEXT })
const SETTINGS = {
  provider: TEXT_OR_NULL,
  model: TEXT_OR_NULL,
  region: TEXT_OR_NULL,
  deployment: TEXT_OR_NULL,
  baseURL: TEXT_OR_NULL,
  mcpServers: TEXTS,
  preset: TEXT_OR_NULL,
  parameters: FIELDS,
  allowedModels: nullable(TEXTS),
  fallbacks: arrayOf(MODEL),
}
const ORIGINS = fields(Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, TEXT])))
const Settings = fields({ version: NUMBER, ...SETTINGS, origin: ORIGINS })

const SecretInfo = fields({ name: TEXT, fields: TEXTS, updatedAt: TEXT })
const USED_MODEL = fields({ provider: TEXT, model: TEXT, firstUsedAt: TEXT })
const RuntimeSession = fields({
  id: TEXT,
  policy: oneOf('pin', 'follow'),
  version: NUMBER,
  createdAt: TEXT,
  lastUsedAt: TEXT,
  models: arrayOf(USED_MODEL),
})
const CLIENT = fields({
  kind: oneOf('model', 'mcp'),
  name: TEXT,
  state: oneOf('opening', 'open', 'draining'),
  inUse: NUMBER,
})
const ActiveRuntime = fields({
  instance: TEXT,
  user: TEXT,
  version: NUMBER,
  inUse: NUMBER,
  idleMs: NUMBER,
  clients: arrayOf(CLIENT),
})
const McpAuthorization = fields({ name: TEXT, issuer: TEXT, scopes: TEXTS, authorizedAt: TEXT, isUsable: BOOLEAN })

const SECTION = {
  name: TEXT,
  status: oneOf('fresh', 'stale', 'empty', 'unavailable'),
  loadedAt: TEXT_OR_NULL,
  text: TEXT,
  tokens: NUMBER,
  cut: NUMBER,
  reason: TEXT_OR_NULL,
}
const CONTEXT = {
  details: TEXT,
  actions: TEXT,
  text: TEXT,
  status: oneOf('fresh', 'stale', 'partial', 'default'),
  prefixHash: TEXT,
  tokens: NUMBER,
}
const SECTION_RECEIPT = fields(
  { ...SECTION },
  {
    source: oneOf('store', 'function', 'http'),
    ageMs: NUMBER_OR_NULL,
    previous: nullable(fields({ status: TEXT, tokens: NUMBER, text: TEXT, at: TEXT })),
  },
)
/** With `explain=1` it has `enabled` and `previous`, and its sections have a receipt. */
const Context = fields(
  { ...CONTEXT, sections: arrayOf(SECTION_RECEIPT) },
  {
    enabled: { type: ['boolean', 'null'] },
    previous: nullable(fields({ at: TEXT, text: TEXT, prefixHash: TEXT })),
  },
)

const ON_LIMIT: Schema = { anyOf: [oneOf('refuse'), fields({ model: TEXT }, { provider: TEXT })] }
const LimitState = fields({
  name: TEXT,
  measure: TEXT,
  window: TEXT_OR_NULL,
  max: AMOUNT_OR_NULL,
  used: AMOUNT,
  held: AMOUNT,
  remaining: AMOUNT_OR_NULL,
  resetAt: TEXT_OR_NULL,
  models: nullable(TEXTS),
  mode: oneOf('enforce', 'observe'),
  alertAt: arrayOf(NUMBER),
  onLimit: ON_LIMIT,
  until: TEXT_OR_NULL,
  origin: TEXT,
  ceiling: AMOUNT_OR_NULL,
  pending: nullable(fields({ max: AMOUNT_OR_NULL, at: TEXT })),
})
const Limit = fields(
  { name: TEXT, measure: TEXT, max: AMOUNT_OR_NULL },
  {
    mode: oneOf('enforce', 'observe'),
    window: TEXT,
    weekStart: oneOf('monday', 'sunday'),
    models: TEXTS,
    alertAt: arrayOf(NUMBER),
    onLimit: ON_LIMIT,
  },
)
const Plan = fields({
  name: TEXT,
  extends: TEXT_OR_NULL,
  limits: arrayOf({ $ref: 'Limit#' }),
  runtime: FIELDS,
  isDefault: BOOLEAN,
})

const AnswerStats = fields({
  entries: NUMBER,
  active: NUMBER,
  expired: NUMBER,
  bytes: NUMBER,
  file: TEXT_OR_NULL,
  maxEntries: NUMBER,
  maxBytes: NUMBER,
  ttlMs: NUMBER,
  hits: NUMBER,
  misses: NUMBER,
  joined: NUMBER,
  evictions: NUMBER,
  memoryOnly: NUMBER,
  savedTokens: NUMBER,
  failures: NUMBER,
})

const Instance = fields({
  id: TEXT,
  version: TEXT,
  startedAt: TEXT,
  seenAt: TEXT,
  runtimes: NUMBER,
  answers: { $ref: 'AnswerStats#' },
})

const ATTEMPT = fields({ provider: TEXT, model: TEXT, status: NUMBER_OR_NULL, code: TEXT_OR_NULL, ms: NUMBER })
const TOLD_SECTION = fields({
  section: TEXT,
  status: oneOf('fresh', 'stale', 'empty', 'unavailable'),
  ageMs: NUMBER_OR_NULL,
  tokens: NUMBER,
  cut: NUMBER,
})
const TurnRecord = fields({
  id: TEXT,
  user: TEXT,
  at: TEXT,
  endpoint: TEXT,
  session: TEXT_OR_NULL,
  plan: TEXT_OR_NULL,
  provider: TEXT_OR_NULL,
  model: TEXT_OR_NULL,
  requestedModel: TEXT_OR_NULL,
  downgradedBy: TEXT_OR_NULL,
  attempts: arrayOf(ATTEMPT),
  cache: oneOf('hit', 'joined', 'miss', 'off'),
  outcome: oneOf('completed', 'failed', 'cancelled', 'refused'),
  code: TEXT_OR_NULL,
  limit: TEXT_OR_NULL,
  weight: NUMBER,
  estimate: fields({ inputTokens: NUMBER, outputTokens: NUMBER }),
  inputTokens: NUMBER,
  outputTokens: NUMBER,
  cachedTokens: NUMBER,
  cost: TEXT_OR_NULL,
  overheadMs: NUMBER,
  firstChunkMs: NUMBER_OR_NULL,
  upstreamMs: NUMBER,
  totalMs: NUMBER,
  context: arrayOf(TOLD_SECTION),
  tools: arrayOf(fields({ name: TEXT, calls: NUMBER })),
  requestId: TEXT_OR_NULL,
  prefix: nullable(oneOf('first', 'same', 'changed')),
})
const UsageSum = fields({
  key: TEXT_OR_NULL,
  turns: NUMBER,
  refused: NUMBER,
  unpriced: NUMBER,
  inputTokens: NUMBER,
  outputTokens: NUMBER,
  cachedTokens: NUMBER,
  cost: TEXT,
})
const Simulation = fields({
  turns: NUMBER,
  refused: NUMBER,
  complete: BOOLEAN,
  users: arrayOf(fields({ user: TEXT, refused: NUMBER, firstAt: TEXT, limit: TEXT })),
})
const PhaseChange = fields({
  from: TEXT_OR_NULL,
  to: TEXT_OR_NULL,
  users: NUMBER,
  averageMs: NUMBER,
  medianMs: NUMBER,
})
const OverviewDay = fields({
  day: TEXT,
  users: NUMBER,
  phases: COUNTS,
  riskLevels: COUNTS,
  transitions: arrayOf(fields({ from: TEXT_OR_NULL, to: TEXT_OR_NULL, users: NUMBER, averageMs: NUMBER })),
})

const STORE = fields({ name: TEXT, location: TEXT, durable: BOOLEAN, shared: BOOLEAN }, { wipesFiles: BOOLEAN })
const VOCABULARY = fields({ phases: nullable(TEXTS), riskLevels: nullable(TEXTS) })
const SERVER = fields({ version: TEXT, startedAt: TEXT, store: STORE, namespace: TEXT })
const Overview = fields({
  users: NUMBER,
  blocked: NUMBER,
  phases: COUNTS,
  riskLevels: COUNTS,
  vocabulary: VOCABULARY,
  server: SERVER,
})

const PERCENTILES = fields({ p50: NUMBER, p95: NUMBER, p99: NUMBER })
const StoredAnswers = fields({ answers: NUMBER, bytes: NUMBER, oldestAt: TEXT_OR_NULL, newestAt: TEXT_OR_NULL })
const TurnSummary = fields({
  turns: NUMBER,
  prefixes: fields({ first: NUMBER, same: NUMBER, changed: NUMBER }),
  inputTokens: NUMBER,
  cachedTokens: NUMBER,
})
const Latency = fields({
  turns: NUMBER,
  complete: BOOLEAN,
  overheadMs: PERCENTILES,
  firstChunkMs: PERCENTILES,
  upstreamMs: PERCENTILES,
  totalMs: PERCENTILES,
  cache: COUNTS,
  context: COUNTS,
})

const ATTENTION_RULE = oneOf('risk', 'provider_refusal', 'limit', 'cap', 'block_ends')
const ATTENTION_REASON = {
  rule: ATTENTION_RULE,
  at: TEXT_OR_NULL,
  from: TEXT_OR_NULL,
  fromMs: NUMBER_OR_NULL,
  name: TEXT_OR_NULL,
  count: NUMBER,
  until: TEXT_OR_NULL,
}
const ATTENTION_ROW = fields({
  user: TEXT,
  phase: TEXT,
  riskLevel: TEXT,
  ...ATTENTION_REASON,
  others: arrayOf(fields(ATTENTION_REASON)),
})
const Attention = fields({
  total: NUMBER,
  complete: BOOLEAN,
  rules: arrayOf(fields({ rule: ATTENTION_RULE, threshold: NUMBER, users: NUMBER })),
  rows: arrayOf(ATTENTION_ROW),
})

const PROVIDER = fields({ name: TEXT, kind: TEXT_OR_NULL, models: TEXTS })
const MCP_SERVER = fields({ name: TEXT, transport: oneOf('http', 'process') })
const DEFAULT_MODEL = fields({ provider: TEXT_OR_NULL, model: TEXT_OR_NULL })
const CONTEXT_OPTIONS = fields({
  mode: TEXT,
  maxTokens: NUMBER,
  budgetMs: NUMBER_OR_NULL,
  ttlMs: NUMBER_OR_NULL,
})
const Configuration = fields({
  providers: arrayOf(PROVIDER),
  mcpServers: arrayOf(MCP_SERVER),
  defaults: DEFAULT_MODEL,
  timeZone: TEXT,
  currency: TEXT,
  limits: arrayOf({ $ref: 'Limit#' }),
  window: TEXT,
  keepEvents: NUMBER_OR_NULL,
  keepTurns: fields({ maxAgeMs: NUMBER_OR_NULL, maxPerUser: NUMBER_OR_NULL }),
  answers: fields({ enabled: BOOLEAN, ttlMs: NUMBER_OR_NULL }),
  context: CONTEXT_OPTIONS,
})

const Session = fields({
  name: TEXT,
  role: oneOf('user', 'service', 'viewer', 'operator', 'admin'),
  expiresAt: TEXT_OR_NULL,
  kind: oneOf('session', 'key'),
})
const KEY = { id: TEXT, name: TEXT, role: TEXT, user: TEXT_OR_NULL, createdAt: TEXT, createdBy: TEXT }
const ApiKey = fields(KEY)
const NewApiKey = fields({ ...KEY, key: TEXT })

const WEBHOOK = {
  id: TEXT,
  url: TEXT,
  types: nullable(TEXTS),
  enabled: BOOLEAN,
  createdAt: TEXT,
  createdBy: TEXT,
}
const Webhook = fields(WEBHOOK)
const NewWebhook = fields({ ...WEBHOOK, secret: TEXT })
const WebhookStatus = fields({
  ...WEBHOOK,
  pending: NUMBER,
  dead: NUMBER,
  lastError: TEXT_OR_NULL,
  isFailing: BOOLEAN,
})
const WebhookTest = fields({ id: TEXT, ok: BOOLEAN, status: NUMBER_OR_NULL, error: TEXT_OR_NULL })
const Delivery = fields({
  id: TEXT,
  type: TEXT,
  state: oneOf('pending', 'delivered', 'dead'),
  attempts: NUMBER,
  nextAttemptAt: TEXT_OR_NULL,
  deliveredAt: TEXT_OR_NULL,
  diedAt: TEXT_OR_NULL,
  lastError: TEXT_OR_NULL,
})

const EraseReceipt = fields({ erased: COUNTS, purged: BOOLEAN })

/** The schemas that routes refer to by name. */
export const RESPONSE_SCHEMAS: Readonly<Record<string, Schema>> = {
  Bond,
  Event,
  Note,
  Verification,
  Settings,
  SecretInfo,
  RuntimeSession,
  ActiveRuntime,
  McpAuthorization,
  Context,
  LimitState,
  Limit,
  Plan,
  TurnRecord,
  UsageSum,
  Simulation,
  AnswerStats,
  Instance,
  Overview,
  OverviewDay,
  PhaseChange,
  Configuration,
  Attention,
  Latency,
  StoredAnswers,
  TurnSummary,
  Session,
  ApiKey,
  NewApiKey,
  Webhook,
  NewWebhook,
  WebhookStatus,
  WebhookTest,
  Delivery,
  EraseReceipt,
}

/** The body of a response that is one of `RESPONSE_SCHEMAS`. */
export function responseOf(name: string, description = `${name}.`): Schema {
  return { description, $ref: `${name}#` }
}

/** The body of a response that is a list of one of `RESPONSE_SCHEMAS`. */
export function listOf(name: string, description: string): Schema {
  return listSchema(description, { $ref: `${name}#` })
}

/** The body of a list that may have the number of all items beside those of the page. */
export function withTotal(list: Schema): Schema {
  return { ...list, properties: { ...(list.properties as Readonly<Record<string, Schema>>), total: NUMBER } }
}
