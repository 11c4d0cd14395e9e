// Generated from the API document by `npm run reference`. Do not edit.

export interface ActiveRuntime {
  readonly instance: string
  readonly user: string
  readonly version: number
  readonly inUse: number
  readonly idleMs: number
  readonly clients: readonly ({
    readonly kind: 'model' | 'mcp'
    readonly name: string
    readonly state: 'opening' | 'open' | 'draining'
    readonly inUse: number
  })[]
}

export interface AnswerStats {
  readonly entries: number
  readonly active: number
  readonly expired: number
  readonly bytes: number
  readonly file: string | null
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
  readonly hits: number
  readonly misses: number
  readonly joined: number
  readonly evictions: number
  readonly memoryOnly: number
  readonly savedTokens: number
  readonly failures: number
}

export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly user: string | null
  readonly createdAt: string
  readonly createdBy: string
}

export interface Attention {
  readonly total: number
  readonly complete: boolean
  readonly rules: readonly ({
    readonly rule: 'risk' | 'provider_refusal' | 'limit' | 'cap' | 'block_ends'
    readonly threshold: number
    readonly users: number
  })[]
  readonly rows: readonly ({
    readonly user: string
    readonly phase: string
    readonly riskLevel: string
    readonly rule: 'risk' | 'provider_refusal' | 'limit' | 'cap' | 'block_ends'
    readonly at: string | null
    readonly from: string | null
    readonly fromMs: number | null
    readonly name: string | null
    readonly count: number
    readonly until: string | null
    readonly others: readonly ({
      readonly rule: 'risk' | 'provider_refusal' | 'limit' | 'cap' | 'block_ends'
      readonly at: string | null
      readonly from: string | null
      readonly fromMs: number | null
      readonly name: string | null
      readonly count: number
      readonly until: string | null
    })[]
  })[]
}

export interface Bond {
  readonly user: string
  readonly exists: boolean
  readonly version: number
  readonly phase: string
  readonly previousPhase: string
  readonly archetype: string
  readonly phaseEnteredAt: string | null
  readonly turnCount: number
  readonly peaks: Readonly<Record<string, {
    readonly value: number
    readonly at: string
  }>>
  readonly riskLevel: string
  readonly dailyCap: number
  readonly capOrigin: string
  readonly plan: string | null
  readonly planOrigin: 'default' | 'user'
  readonly dailyCount: number
  readonly windowResetAt: string | null
  readonly blocked: {
    readonly at: string
    readonly actor: string
    readonly reason: string
    readonly until: string | null
  } | null
  readonly eggStatus: string
  readonly notesCount: number
  readonly timeZone: string
  readonly createdAt: string | null
  readonly lastSeenAt: string | null
  readonly updatedAt: string | null
  readonly head: {
    readonly sequence: number
    readonly mac: string
  } | null
}

export interface Configuration {
  readonly providers: readonly ({
    readonly name: string
    readonly kind: string | null
    readonly models: readonly string[]
  })[]
  readonly mcpServers: readonly ({
    readonly name: string
    readonly transport: 'http' | 'process'
  })[]
  readonly defaults: {
    readonly provider: string | null
    readonly model: string | null
  }
  readonly timeZone: string
  readonly currency: string
  readonly limits: readonly Limit[]
  readonly window: string
  readonly keepEvents: number | null
  readonly keepTurns: {
    readonly maxAgeMs: number | null
    readonly maxPerUser: number | null
  }
  readonly answers: {
    readonly enabled: boolean
    readonly ttlMs: number | null
  }
  readonly context: {
    readonly mode: string
    readonly maxTokens: number
    readonly budgetMs: number | null
    readonly ttlMs: number | null
  }
}

export interface Context {
  readonly details: string
  readonly actions: string
  readonly text: string
  readonly status: 'fresh' | 'stale' | 'partial' | 'default'
  readonly prefixHash: string
  readonly tokens: number
  readonly sections: readonly ({
    readonly name: string
    readonly status: 'fresh' | 'stale' | 'empty' | 'unavailable'
    readonly loadedAt: string | null
    readonly text: string
    readonly tokens: number
    readonly cut: number
    readonly reason: string | null
    readonly source?: 'store' | 'function' | 'http' | undefined
    readonly ageMs?: number | null | undefined
    readonly previous?: {
      readonly status: string
      readonly tokens: number
      readonly text: string
      readonly at: string
    } | null | undefined
  })[]
  readonly enabled?: boolean | null | undefined
  readonly previous?: {
    readonly at: string
    readonly text: string
    readonly prefixHash: string
  } | null | undefined
}

export interface Delivery {
  readonly id: string
  readonly type: string
  readonly state: 'pending' | 'delivered' | 'dead'
  readonly attempts: number
  readonly nextAttemptAt: string | null
  readonly deliveredAt: string | null
  readonly diedAt: string | null
  readonly lastError: string | null
}

export interface EraseReceipt {
  readonly erased: Readonly<Record<string, number>>
  readonly purged: boolean
}

export interface Event {
  readonly v: number
  readonly id: string
  readonly user: string
  readonly sequence: number
  readonly at: string
  readonly type: string
  readonly detail: string
  readonly data: Readonly<Record<string, unknown>>
  readonly mac: string
  readonly actor?: string | undefined
  readonly reason?: string | undefined
  readonly policy?: string | undefined
}

export interface Instance {
  readonly id: string
  readonly version: string
  readonly startedAt: string
  readonly seenAt: string
  readonly runtimes: number
  readonly answers: AnswerStats
}

export interface Latency {
  readonly turns: number
  readonly complete: boolean
  readonly overheadMs: {
    readonly p50: number
    readonly p95: number
    readonly p99: number
  }
  readonly firstChunkMs: {
    readonly p50: number
    readonly p95: number
    readonly p99: number
  }
  readonly upstreamMs: {
    readonly p50: number
    readonly p95: number
    readonly p99: number
  }
  readonly totalMs: {
    readonly p50: number
    readonly p95: number
    readonly p99: number
  }
  readonly cache: Readonly<Record<string, number>>
  readonly context: Readonly<Record<string, number>>
}

export interface Limit {
  readonly name: string
  readonly measure: string
  readonly max: number | string | null
  readonly mode?: 'enforce' | 'observe' | undefined
  readonly window?: string | undefined
  readonly weekStart?: 'monday' | 'sunday' | undefined
  readonly models?: readonly string[] | undefined
  readonly alertAt?: readonly number[] | undefined
  readonly onLimit?: 'refuse' | {
    readonly model: string
    readonly provider?: string | undefined
  } | undefined
}

export interface LimitState {
  readonly name: string
  readonly measure: string
  readonly window: string | null
  readonly max: number | string | null
  readonly used: number | string
  readonly held: number | string
  readonly remaining: number | string | null
  readonly resetAt: string | null
  readonly models: readonly string[] | null
  readonly mode: 'enforce' | 'observe'
  readonly alertAt: readonly number[]
  readonly onLimit: 'refuse' | {
    readonly model: string
    readonly provider?: string | undefined
  }
  readonly until: string | null
  readonly origin: string
  readonly ceiling: number | string | null
  readonly pending: {
    readonly max: number | string | null
    readonly at: string
  } | null
}

export interface McpAuthorization {
  readonly name: string
  readonly issuer: string
  readonly scopes: readonly string[]
  readonly authorizedAt: string
  readonly isUsable: boolean
}

export interface NewApiKey {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly user: string | null
  readonly createdAt: string
  readonly createdBy: string
  readonly key: string
}

export interface NewWebhook {
  readonly id: string
  readonly url: string
  readonly types: readonly string[] | null
  readonly enabled: boolean
  readonly createdAt: string
  readonly createdBy: string
  readonly secret: string
}

export interface Note {
  readonly id: string
  readonly at: string
  readonly actor: string
  readonly text: string
}

export interface Overview {
  readonly users: number
  readonly blocked: number
  readonly phases: Readonly<Record<string, number>>
  readonly riskLevels: Readonly<Record<string, number>>
  readonly vocabulary: {
    readonly phases: readonly string[] | null
    readonly riskLevels: readonly string[] | null
  }
  readonly server: {
    readonly version: string
    readonly startedAt: string
    readonly store: {
      readonly name: string
      readonly location: string
      readonly durable: boolean
      readonly shared: boolean
      readonly wipesFiles?: boolean | undefined
    }
    readonly namespace: string
  }
}

export interface OverviewDay {
  readonly day: string
  readonly users: number
  readonly phases: Readonly<Record<string, number>>
  readonly riskLevels: Readonly<Record<string, number>>
  readonly transitions: readonly ({
    readonly from: string | null
    readonly to: string | null
    readonly users: number
    readonly averageMs: number
  })[]
}

export interface PhaseChange {
  readonly from: string | null
  readonly to: string | null
  readonly users: number
  readonly averageMs: number
  readonly medianMs: number
}

export interface Plan {
  readonly name: string
  readonly extends: string | null
  readonly limits: readonly Limit[]
  readonly runtime: Readonly<Record<string, unknown>>
  readonly isDefault: boolean
}

export interface Problem {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string
    readonly hint?: string | undefined
    readonly requestId?: string | undefined
    readonly issues?: readonly ({
      readonly path?: string | undefined
      readonly message?: string | undefined
    })[] | undefined
  }
}

export interface RuntimeSession {
  readonly id: string
  readonly policy: 'pin' | 'follow'
  readonly version: number
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly models: readonly ({
    readonly provider: string
    readonly model: string
    readonly firstUsedAt: string
  })[]
}

export interface SecretInfo {
  readonly name: string
  readonly fields: readonly string[]
  readonly updatedAt: string
}

export interface Session {
  readonly name: string
  readonly role: 'user' | 'service' | 'viewer' | 'operator' | 'admin'
  readonly expiresAt: string | null
  readonly kind: 'session' | 'key'
}

export interface Settings {
  readonly version: number
  readonly provider: string | null
  readonly model: string | null
  readonly region: string | null
  readonly deployment: string | null
  readonly baseURL: string | null
  readonly mcpServers: readonly string[]
  readonly preset: string | null
  readonly parameters: Readonly<Record<string, unknown>>
  readonly allowedModels: readonly string[] | null
  readonly fallbacks: readonly ({
    readonly provider: string
    readonly model: string
  })[]
  readonly origin: {
    readonly provider: string
    readonly model: string
    readonly region: string
    readonly deployment: string
    readonly baseURL: string
    readonly mcpServers: string
    readonly preset: string
    readonly parameters: string
    readonly allowedModels: string
    readonly fallbacks: string
  }
}

export interface Simulation {
  readonly turns: number
  readonly refused: number
  readonly complete: boolean
  readonly users: readonly ({
    readonly user: string
    readonly refused: number
    readonly firstAt: string
    readonly limit: string
  })[]
}

export interface StoredAnswers {
  readonly answers: number
  readonly bytes: number
  readonly oldestAt: string | null
  readonly newestAt: string | null
}

export interface TurnRecord {
  readonly id: string
  readonly user: string
  readonly at: string
  readonly endpoint: string
  readonly session: string | null
  readonly plan: string | null
  readonly provider: string | null
  readonly model: string | null
  readonly requestedModel: string | null
  readonly downgradedBy: string | null
  readonly attempts: readonly ({
    readonly provider: string
    readonly model: string
    readonly status: number | null
    readonly code: string | null
    readonly ms: number
  })[]
  readonly cache: 'hit' | 'joined' | 'miss' | 'off'
  readonly outcome: 'completed' | 'failed' | 'cancelled' | 'refused'
  readonly code: string | null
  readonly limit: string | null
  readonly weight: number
  readonly estimate: {
    readonly inputTokens: number
    readonly outputTokens: number
  }
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  readonly cost: string | null
  readonly overheadMs: number
  readonly firstChunkMs: number | null
  readonly upstreamMs: number
  readonly totalMs: number
  readonly context: readonly ({
    readonly section: string
    readonly status: 'fresh' | 'stale' | 'empty' | 'unavailable'
    readonly ageMs: number | null
    readonly tokens: number
    readonly cut: number
  })[]
  readonly tools: readonly ({
    readonly name: string
    readonly calls: number
  })[]
  readonly requestId: string | null
  readonly prefix: 'first' | 'same' | 'changed' | null
}

export interface TurnSummary {
  readonly turns: number
  readonly prefixes: {
    readonly first: number
    readonly same: number
    readonly changed: number
  }
  readonly inputTokens: number
  readonly cachedTokens: number
}

export interface UsageSum {
  readonly key: string | null
  readonly turns: number
  readonly refused: number
  readonly unpriced: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  readonly cost: string
}

export interface Verification {
  readonly ok: boolean
  readonly checked: number
  readonly firstBad?: {
    readonly problem: string
    readonly user?: string | undefined
    readonly sequence?: number | undefined
  } | undefined
}

export interface Webhook {
  readonly id: string
  readonly url: string
  readonly types: readonly string[] | null
  readonly enabled: boolean
  readonly createdAt: string
  readonly createdBy: string
}

export interface WebhookStatus {
  readonly id: string
  readonly url: string
  readonly types: readonly string[] | null
  readonly enabled: boolean
  readonly createdAt: string
  readonly createdBy: string
  readonly pending: number
  readonly dead: number
  readonly lastError: string | null
  readonly isFailing: boolean
}

export interface WebhookTest {
  readonly id: string
  readonly ok: boolean
  readonly status: number | null
  readonly error: string | null
}

/** Query, body and response of every route of the management API. */
export interface Routes {
  'DELETE /api/answers': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/keys': {
    readonly query: {
      readonly id?: string | undefined
    }
    readonly body: {
      readonly id?: string | undefined
    } | null
    readonly response: unknown
  }
  'DELETE /api/keys/{key}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/session': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/sessions': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/users/{id}/answers': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/users/{id}/block': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly reason?: unknown | undefined
    } | null
    readonly response: Bond
  }
  'DELETE /api/users/{id}/context': {
    readonly query: {
      readonly section?: string | undefined
    }
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/users/{id}/limits/{name}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly reason?: unknown | undefined
    } | null
    readonly response: LimitState
  }
  'DELETE /api/users/{id}/limits/{name}/usage': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly reason?: unknown | undefined
    } | null
    readonly response: LimitState
  }
  'DELETE /api/users/{id}/mcp/{name}/authorization': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/users/{id}/secrets/{name}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/users/{id}/sessions/{session}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'DELETE /api/webhooks/{webhook}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'GET /api/answers/stats': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: AnswerStats
  }
  'GET /api/attention': {
    readonly query: {
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly response: Attention
  }
  'GET /api/audit': {
    readonly query: {
      readonly actor?: string | undefined
      readonly action?: string | undefined
      readonly user?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly Event[]
      readonly cursor: string | null
    }
  }
  'GET /api/checkpoint': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'GET /api/config': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: Configuration
  }
  'GET /api/events': {
    readonly query: {
      readonly user?: string | undefined
      readonly types?: string | undefined
    }
    readonly body: undefined
    readonly response: unknown
  }
  'GET /api/events/latest': {
    readonly query: {
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly Event[]
      readonly cursor: string | null
    }
  }
  'GET /api/instances': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly Instance[]
      readonly cursor: string | null
    }
  }
  'GET /api/keys': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly ApiKey[]
      readonly cursor: string | null
    }
  }
  'GET /api/overview': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: Overview
  }
  'GET /api/overview/days': {
    readonly query: {
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly OverviewDay[]
      readonly cursor: string | null
    }
  }
  'GET /api/overview/latency': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: Latency
  }
  'GET /api/overview/phases': {
    readonly query: {
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly PhaseChange[]
      readonly cursor: string | null
    }
  }
  'GET /api/plans': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly Plan[]
      readonly cursor: string | null
    }
  }
  'GET /api/runtimes': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly ActiveRuntime[]
      readonly cursor: string | null
    }
  }
  'GET /api/session': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: Session
  }
  'GET /api/turns': {
    readonly query: {
      readonly user?: string | undefined
      readonly outcome?: 'completed' | 'failed' | 'cancelled' | 'refused' | undefined
      readonly provider?: string | undefined
      readonly model?: string | undefined
      readonly code?: string | undefined
      readonly minMs?: string | undefined
      readonly order?: 'ascending' | 'descending' | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly TurnRecord[]
      readonly cursor: string | null
    }
  }
  'GET /api/usage': {
    readonly query: {
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly by?: 'hour' | 'day' | 'month' | 'model' | 'limit' | 'user' | 'plan' | 'provider' | undefined
      readonly limit?: string | undefined
      readonly format?: 'json' | 'csv' | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly UsageSum[]
      readonly cursor: string | null
    }
  }
  'GET /api/users': {
    readonly query: {
      readonly phase?: string | undefined
      readonly riskLevel?: string | undefined
      readonly q?: string | undefined
      readonly plan?: string | undefined
      readonly blocked?: 'true' | 'false' | undefined
      readonly capUsed?: string | undefined
      readonly limitUsed?: string | undefined
      readonly seenSince?: string | undefined
      readonly seenBefore?: string | undefined
      readonly orderBy?: string | undefined
      readonly order?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly offset?: string | undefined
      readonly total?: 'true' | 'false' | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly Bond[]
      readonly cursor: string | null
      readonly total?: number | undefined
    }
  }
  'GET /api/users/{id}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'GET /api/users/{id}/actions': {
    readonly query: {
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly unknown[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/answers': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: StoredAnswers
  }
  'GET /api/users/{id}/bond': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: Bond
  }
  'GET /api/users/{id}/context': {
    readonly query: {
      readonly mode?: string | undefined
      readonly budgetMs?: string | undefined
      readonly maxTokens?: string | undefined
      readonly maxAgeMs?: string | undefined
      readonly timeZone?: string | undefined
      readonly session?: string | undefined
      readonly query?: string | undefined
      readonly explain?: '1' | 'true' | '0' | 'false' | undefined
    }
    readonly body: undefined
    readonly response: Context
  }
  'GET /api/users/{id}/events': {
    readonly query: {
      readonly limit?: string | undefined
      readonly before?: string | undefined
      readonly types?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly Event[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/export': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'GET /api/users/{id}/limits': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly LimitState[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/mcp': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly McpAuthorization[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/notes': {
    readonly query: {
      readonly limit?: string | undefined
      readonly before?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly Note[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/profile': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'GET /api/users/{id}/runtime': {
    readonly query: {
      readonly session?: string | undefined
    }
    readonly body: undefined
    readonly response: Settings
  }
  'GET /api/users/{id}/secrets': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly SecretInfo[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/sessions': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly RuntimeSession[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/turns': {
    readonly query: {
      readonly limit?: string | undefined
      readonly before?: string | undefined
      readonly outcome?: 'completed' | 'failed' | 'cancelled' | 'refused' | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly TurnRecord[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/turns/summary': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: TurnSummary
  }
  'GET /api/users/{id}/usage': {
    readonly query: {
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly by?: 'hour' | 'day' | 'month' | 'model' | 'limit' | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly UsageSum[]
      readonly cursor: string | null
    }
  }
  'GET /api/users/{id}/verify': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: Verification
  }
  'GET /api/webhooks': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly data: readonly WebhookStatus[]
      readonly cursor: string | null
    }
  }
  'GET /api/webhooks/{webhook}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: WebhookStatus
  }
  'GET /api/webhooks/{webhook}/deliveries': {
    readonly query: {
      readonly state?: 'pending' | 'delivered' | 'dead' | undefined
    }
    readonly body: undefined
    readonly response: {
      readonly data: readonly Delivery[]
      readonly cursor: string | null
    }
  }
  'PATCH /api/users/{id}/profile': {
    readonly query: Readonly<Record<string, never>>
    readonly body: Readonly<Record<string, unknown>>
    readonly response: unknown
  }
  'PATCH /api/users/{id}/runtime': {
    readonly query: Readonly<Record<string, never>>
    readonly body: Readonly<Record<string, unknown>>
    readonly response: Settings
  }
  'PATCH /api/webhooks/{webhook}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly url?: unknown | undefined
      readonly types?: unknown | undefined
      readonly enabled?: unknown | undefined
    }
    readonly response: Webhook
  }
  'POST /api/keys': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly role: unknown
      readonly name?: string | undefined
      readonly user?: string | undefined
    }
    readonly response: NewApiKey
  }
  'POST /api/limits/simulate': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly limits?: unknown | undefined
      readonly plans?: unknown | undefined
      readonly since?: unknown | undefined
      readonly users?: unknown | undefined
    }
    readonly response: Simulation
  }
  'POST /api/session': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly key: string
    }
    readonly response: Session
  }
  'POST /api/users/{id}/actions': {
    readonly query: Readonly<Record<string, never>>
    readonly body: Readonly<Record<string, never>> | readonly (Readonly<Record<string, unknown>>)[]
    readonly response: unknown
  }
  'POST /api/users/{id}/admissions': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly cost?: unknown | undefined
      readonly model?: unknown | undefined
      readonly estimate?: unknown | undefined
    } | null
    readonly response: unknown
  }
  'POST /api/users/{id}/admissions/{ticket}/refund': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'POST /api/users/{id}/admissions/{ticket}/settle': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly inputTokens?: unknown | undefined
      readonly outputTokens?: unknown | undefined
      readonly cachedTokens?: unknown | undefined
      readonly cacheWriteTokens?: unknown | undefined
      readonly toolCalls?: unknown | undefined
      readonly cost?: unknown | undefined
    } | null
    readonly response: unknown
  }
  'POST /api/users/{id}/correct': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly phase?: unknown | undefined
      readonly riskLevel?: unknown | undefined
      readonly reason?: unknown | undefined
    }
    readonly response: Bond
  }
  'POST /api/users/{id}/detections': {
    readonly query: Readonly<Record<string, never>>
    readonly body: Readonly<Record<string, unknown>>
    readonly response: unknown
  }
  'POST /api/users/{id}/erase': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly reason?: string | undefined
    } | null
    readonly response: EraseReceipt
  }
  'POST /api/users/{id}/evict': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly reason?: unknown | undefined
    } | null
    readonly response: unknown
  }
  'POST /api/users/{id}/mcp/{name}/authorization': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: {
      readonly url: string
      readonly expiresAt: string
    }
  }
  'POST /api/users/{id}/mcp/{name}/authorization/completion': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly state: unknown
      readonly code: unknown
      readonly iss?: unknown | undefined
    }
    readonly response: unknown
  }
  'POST /api/users/{id}/notes': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly text: unknown
      readonly reason?: unknown | undefined
    }
    readonly response: Note
  }
  'POST /api/users/{id}/sessions': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly id: unknown
      readonly policy: unknown
    }
    readonly response: RuntimeSession
  }
  'POST /api/verify': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly checkpoint?: string | undefined
      readonly user?: string | undefined
    } | null
    readonly response: unknown
  }
  'POST /api/webhooks': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly url: unknown
      readonly types?: unknown | undefined
    }
    readonly response: NewWebhook
  }
  'POST /api/webhooks/{webhook}/deliveries/{delivery}/retry': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: unknown
  }
  'POST /api/webhooks/{webhook}/test': {
    readonly query: Readonly<Record<string, never>>
    readonly body: undefined
    readonly response: WebhookTest
  }
  'PUT /api/users/{id}/block': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly reason?: unknown | undefined
      readonly until?: unknown | undefined
    } | null
    readonly response: Bond
  }
  'PUT /api/users/{id}/cap': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly cap: unknown
      readonly reason?: unknown | undefined
    }
    readonly response: Bond
  }
  'PUT /api/users/{id}/context': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly enabled: boolean
    }
    readonly response: unknown
  }
  'PUT /api/users/{id}/limits/{name}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly max: unknown
      readonly until?: unknown | undefined
      readonly reason?: unknown | undefined
    }
    readonly response: LimitState
  }
  'PUT /api/users/{id}/plan': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly plan: unknown
      readonly reason?: unknown | undefined
    }
    readonly response: Bond
  }
  'PUT /api/users/{id}/profile': {
    readonly query: Readonly<Record<string, never>>
    readonly body: Readonly<Record<string, unknown>>
    readonly response: unknown
  }
  'PUT /api/users/{id}/secrets/{name}': {
    readonly query: Readonly<Record<string, never>>
    readonly body: Readonly<Record<string, unknown>>
    readonly response: unknown
  }
  'PUT /api/users/{id}/timezone': {
    readonly query: Readonly<Record<string, never>>
    readonly body: {
      readonly timeZone: unknown
      readonly reason?: unknown | undefined
    }
    readonly response: Bond
  }
}
